import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dearmour } from '../../../src/trust/armour.ts';
import { framePacket, readPackets } from '../../../src/trust/packets.ts';
import { plainSignature, signaturePackets } from '../../../src/trust/structure.ts';
import { fixture } from './support.ts';

const good = (await fixture('sigs/00-good-ed25519.asc')).toString();
const body = dearmour(good, 'SIGNATURE');

function armoured(bytes: Uint8Array, before = ''): Buffer {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n');
  return Buffer.from(`-----BEGIN PGP SIGNATURE-----\n${before}\n${lines}\n-----END PGP SIGNATURE-----\n`);
}

function split(text: string | Uint8Array, most = 16): readonly Uint8Array[] {
  return signaturePackets(Buffer.from(text), most);
}

describe('signaturePackets', () => {
  it.each([
    ['as gpg writes it', good],
    ['with Windows line ends', good.replaceAll('\n', '\r\n')],
    ['with an empty line at the end', `${good}\n`],
    ['with a comment in its armour', good.replace('-----\n\n', '-----\nComment: by “me”\n\n')],
    ['without a checksum', good.replace(/^=....\n/m, '')],
  ])('takes one signature %s [F040]', (_, text) => {
    expect(split(text)).toEqual([framePacket({ tag: 2, body: readPackets(body, 1)[0]?.body ?? Buffer.of() })]);
  });

  it.each([
    ['a blank before it', ` ${good}`],
    ['a line before it', `\n${good}`],
    ['text after it', `${good}hello\n`],
    ['a second block', good + good],
    ['another kind of block', good.replaceAll('SIGNATURE', 'MESSAGE')],
    ['a cleartext document', `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nx\n${good}`],
    ['no blank line', good.replace('\n\n', '\n')],
    ['a line that is no header', good.replace('-----\n\n', '-----\nhello\n\n')],
    ['a control character in a header', good.replace('-----\n\n', '-----\nComment: \u001b[2J\n\n')],
    ['a carriage return inside', good.replace('-----\n\n', '-----\nComment: a\rb\n\n')],
    ['base64 that is cut', good.replace(/=?\n=....\n/, '\n')],
    ['nothing in it', '-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n'],
    ['nothing at all', ''],
  ])('refuses a file with %s [F039]', (_, text) => {
    expect(() => split(text)).toThrow(expect.objectContaining({ code: 'TRUST_STRUCTURE' }));
  });

  it('refuses base64 whose last bits are not zero, which two readers may take differently [F039]', () => {
    const block = (base64: string): string =>
      `-----BEGIN PGP SIGNATURE-----\n\n${base64}\n-----END PGP SIGNATURE-----\n`;
    expect(dearmour(block('AAE='), 'SIGNATURE')).toEqual(Buffer.of(0, 1));
    expect(() => dearmour(block('AAF='), 'SIGNATURE')).toThrow(/not canonical/);
  });

  it('refuses more than 16 KiB, and takes exactly that many bytes to the next check [F031]', () => {
    const padded = (size: number): string => good + '\n'.repeat(size - good.length);
    expect(split(padded(16 * 1024))).toHaveLength(1);
    expect(() => split(padded(16 * 1024 + 1))).toThrow(/16385 bytes long/);
  });

  it('splits several signatures and refuses more than were asked for [F041]', async () => {
    const two = await fixture('sigs/03-two-keys.asc');
    expect(split(two)).toHaveLength(2);
    expect(() => split(two, 1)).toThrow(expect.objectContaining({ code: 'TRUST_STRUCTURE' }));
  });

  it.each([
    ['a marker packet', framePacket({ tag: 10, body: Buffer.from('PGP') })],
    ['a literal data packet', framePacket({ tag: 11, body: Buffer.from('b\0\0\0\0\0x') })],
    ['an unknown packet', framePacket({ tag: 60, body: Buffer.of() })],
  ])('refuses %s beside the signature, before or after it [F039]', (_, other) => {
    for (const bytes of [Buffer.concat([other, body]), Buffer.concat([body, other])]) {
      expect(() => split(armoured(bytes))).toThrow(/beside its signatures/);
    }
  });
});

describe('readPackets', () => {
  it.each([
    ['old format, one octet', Buffer.from('8801aa', 'hex')],
    ['old format, two octets', Buffer.from('890001aa', 'hex')],
    ['old format, four octets', Buffer.from('8a00000001aa', 'hex')],
    ['new format, one octet', Buffer.from('c201aa', 'hex')],
    ['new format, five octets', Buffer.from('c2ff00000001aa', 'hex')],
  ])('reads a length in %s', (_, bytes) => {
    expect(readPackets(bytes, 1)).toEqual([{ tag: 2, body: Buffer.of(0xaa) }]);
  });

  it.each([
    ['indeterminate length', '8baa'],
    ['partial length', 'c2e000000001aa'],
    ['length beyond the end', 'c205aa'],
    ['enormous length', 'c2ffffffffffaa'],
    ['cut header', 'c2'],
    ['cut two-octet length', '8900'],
    ['no packet bit', '4201aa'],
  ])('refuses a packet with %s', (_, hex) => {
    expect(() => readPackets(Buffer.from(hex, 'hex'), 9)).toThrow(expect.objectContaining({ code: 'TRUST_STRUCTURE' }));
  });

  it('reads what framePacket wrote, at every size', () => {
    const sizes = fc.oneof(fc.integer({ min: 0, max: 9000 }), fc.constantFrom(191, 192, 8383, 8384, 70_000));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 63 }), sizes, (tag, size) => {
        const packet = { tag, body: Buffer.alloc(size, 7) };
        expect(readPackets(Buffer.concat([framePacket(packet), framePacket(packet)]), 2)).toEqual([packet, packet]);
      }),
    );
  });

  it('gives packets or TRUST_STRUCTURE for any bytes, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          expect(readPackets(bytes, 8).length).toBeLessThanOrEqual(8);
        } catch (error) {
          expect(error).toMatchObject({ code: 'TRUST_STRUCTURE' });
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('plainSignature', () => {
  const packet = (version: number, type: number, hash: number): Buffer =>
    framePacket({ tag: 2, body: Buffer.of(version, type, 22, hash, 0, 0) });

  it.each([8, 9, 10])('takes hash algorithm %i on versions 4 and 6 [F040]', (hash) => {
    expect(plainSignature(packet(4, 0, hash))).toBeUndefined();
    expect(plainSignature(packet(6, 0, hash))).toBeUndefined();
  });

  it.each([
    ['version 3', packet(3, 0, 8), 'structure'],
    ['version 5', packet(5, 0, 8), 'structure'],
    ['a text signature', packet(4, 1, 8), 'structure'],
    ['a certification', packet(4, 0x10, 8), 'structure'],
    ['MD5', packet(4, 0, 1), 'weak-hash'],
    ['SHA-1', packet(4, 0, 2), 'weak-hash'],
    ['RIPEMD-160', packet(4, 0, 3), 'weak-hash'],
    ['SHA-224', packet(4, 0, 11), 'weak-hash'],
    ['an empty packet', framePacket({ tag: 2, body: Buffer.of() }), 'structure'],
  ])('refuses %s [F039]', (_, bytes, reason) => {
    expect(plainSignature(bytes)).toMatchObject({ reason });
  });
});
