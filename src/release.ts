/** Names that come from outside and what they may look like. A branded type is only made by its `parse…` function. */

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** A version directory's name under /opt/NODE/versions: safe as one path component, never `.` or `..`. */
export type Version = Brand<string, 'Version'>;
/** The name of a node: what systemd calls NODE.service without its suffix. `foo@1` is allowed, `foo@` is not. */
export type NodeName = Brand<string, 'NodeName'>;
/** A SHA-256 digest, 64 lower-case hex digits. */
export type Digest = Brand<string, 'Digest'>;
/** An OpenPGP primary key fingerprint: 40 (v4) or 64 (v6) upper-case hex digits. */
export type Fingerprint = Brand<string, 'Fingerprint'>;

const VERSION = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}$/;
const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(@[A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$/;
const DIGEST = /^[0-9a-f]{64}$/;
const FINGERPRINT = /^([0-9A-F]{40}|[0-9A-F]{64})$/;

export function parseVersion(text: string): Version | undefined {
  return VERSION.test(text) ? (text as Version) : undefined;
}

export function parseNodeName(text: string): NodeName | undefined {
  return NODE_NAME.test(text) && !text.endsWith('.service') ? (text as NodeName) : undefined;
}

export function parseDigest(text: string): Digest | undefined {
  return DIGEST.test(text) ? (text as Digest) : undefined;
}

/** Accepts the forms that people paste: blanks between the groups, lower case, a leading `0x`. */
export function parseFingerprint(text: string): Fingerprint | undefined {
  const plain = text.replace(/^0x/i, '').replace(/\s+/g, '').toUpperCase();
  return FINGERPRINT.test(plain) ? (plain as Fingerprint) : undefined;
}
