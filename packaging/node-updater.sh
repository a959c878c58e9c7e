#!/bin/sh
# The command line. What the caller's environment could change in Node, OpenSSL or the loader of modules is dropped
# first: often the caller is root, and his shell's settings were made for other programs.
unset NODE_OPTIONS NODE_PATH NODE_COMPILE_CACHE NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED NODE_REPL_EXTERNAL_MODULE \
  NODE_V8_COVERAGE NODE_DEBUG NODE_ICU_DATA NODE_PENDING_DEPRECATION NODE_REDIRECT_WARNINGS NODE_USE_ENV_PROXY \
  OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE
exec /usr/lib/node-autoupdate/node /usr/lib/node-autoupdate/main.mjs "$@"
