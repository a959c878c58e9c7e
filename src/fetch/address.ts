/** What kind of network an address belongs to: the question behind "may a redirect lead there". */
import { BlockList, isIP } from 'node:net';

/** `special` is link-local (with the clouds' metadata services), multicast, reserved. */
export type AddressKind = 'public' | 'private' | 'loopback' | 'special';

/** What a redirect may lead to: public addresses and those of this kind; `any` for the hosts that the order names. */
export type Reach = AddressKind | 'any';

// IANA special-purpose registries (RFC 6890 and its successors), cut to what can be a destination.
const RANGES: Readonly<Record<Exclude<AddressKind, 'public'>, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7', 'fec0::/10'],
  special: [
    '169.254.0.0/16',
    'fe80::/10',
    // Metadata services that live in otherwise private ranges: Alibaba, Oracle, AWS over IPv6.
    '100.100.100.200/32',
    '192.0.0.0/24',
    'fd00:ec2::/32',
    '198.18.0.0/15',
    '224.0.0.0/4',
    '240.0.0.0/4',
    'ff00::/8',
    // Addresses that carry an IPv4 address inside, which a translator could lead anywhere.
    '64:ff9b::/96',
    '64:ff9b:1::/48',
    '2002::/16',
  ],
};

const lists = Object.entries(RANGES).map(([kind, ranges]) => [kind as AddressKind, blockList(ranges)] as const);

/** `special` first: a metadata service inside a private range counts as what it is. */
export function kindOfAddress(address: string): AddressKind {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  const kinds = lists.filter(([, list]) => list.check(address, family)).map(([kind]) => kind);
  return kinds.includes('special') ? 'special' : (kinds[0] ?? 'public');
}

/** The kind of a URL's host if the name alone says it; undefined for a name that only DNS can tell. */
export function kindOfHost(hostname: string): AddressKind | undefined {
  const plain = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  if (isIP(plain) !== 0) return kindOfAddress(plain);
  return plain === 'localhost' || plain.endsWith('.localhost') ? 'loopback' : undefined;
}

export function isWithin(reach: Reach, kind: AddressKind): boolean {
  return reach === 'any' || kind === 'public' || kind === reach;
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', prefix = ''] = range.split('/');
    list.addSubnet(network, Number(prefix), isIP(network) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
