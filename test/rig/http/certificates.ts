/** A test CA and certificates for 127.0.0.1, made by the openssl program in a directory of the test. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TlsFiles } from './server.ts';

const run = promisify(execFile);

export interface TestCa {
  /** PEM of the CA's own certificate. */
  readonly certificate: string;
  issue(name: string, terms?: Terms): Promise<TlsFiles>;
}

export interface Terms {
  /** As openssl writes them: YYYYMMDDHHMMSSZ. */
  readonly notBefore?: string;
  readonly notAfter?: string;
  /** Default IP:127.0.0.1,DNS:localhost. */
  readonly altNames?: string;
}

export async function makeCa(directory: string): Promise<TestCa> {
  const key = join(directory, 'ca.key');
  const cert = join(directory, 'ca.pem');
  await openssl(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=test authority', '-keyout', key, '-out', cert]); // prettier-ignore
  await writeFile(join(directory, 'index.txt'), '');
  await writeFile(
    join(directory, 'ca.cnf'),
    ['[ca]', 'default_ca=d', '[d]', `database=${directory}/index.txt`, `new_certs_dir=${directory}`, 'rand_serial=yes',
      'default_md=sha256', 'policy=p', 'copy_extensions=copy', 'unique_subject=no', '[p]', 'commonName=supplied', ''].join('\n'), // prettier-ignore
  );
  return { certificate: await readFile(cert, 'utf8'), issue: (name, terms = {}) => issue(directory, name, terms) };
}

/** A certificate that vouches for itself. */
export async function selfSigned(directory: string): Promise<TlsFiles> {
  const key = join(directory, 'self.key');
  const cert = join(directory, 'self.pem');
  await openssl(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=self', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert]); // prettier-ignore
  return { key: await readFile(key), cert: await readFile(cert) };
}

async function issue(directory: string, name: string, terms: Terms): Promise<TlsFiles> {
  const {
    notBefore = '20200101000000Z',
    notAfter = '20491231235959Z',
    altNames = 'IP:127.0.0.1,DNS:localhost',
  } = terms;
  const [key, request, cert] = ['key', 'csr', 'pem'].map((end) => join(directory, `${name}.${end}`)) as [
    string,
    string,
    string,
  ];
  await openssl(['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`,
    '-addext', `subjectAltName=${altNames}`, '-keyout', key, '-out', request]); // prettier-ignore
  await openssl(['ca', '-batch', '-notext', '-config', join(directory, 'ca.cnf'), '-cert', join(directory, 'ca.pem'),
    '-keyfile', join(directory, 'ca.key'), '-startdate', notBefore, '-enddate', notAfter, '-in', request, '-out', cert]); // prettier-ignore
  return { key: await readFile(key), cert: await readFile(cert) };
}

async function openssl(args: readonly string[]): Promise<void> {
  await run('openssl', args);
}
