import { describe, expect, it } from 'vitest';
import { configHost } from './host.ts';

const GLOBAL = 'etc/node-updater/node-updater.toml';

describe('how files are fetched', () => {
  it.each([
    ['maximum_speed = "8K"', 'is too small; at least 16K, or 0 for no limit'],
    ['proxy = "socks5://proxy.example:1080"', 'must start with http:// or https://'],
    ['proxy = "http://proxy.example:3128/path"', 'must end after the host and port'],
    ['proxy = "proxy.example"', 'is no URL'],
    ['no_proxy = "intranet.example"', 'must be an array'],
    ['ca_file = "authority.pem"', 'must be an absolute path'],
  ])('is refused as %s [S1.8]', (line, why) => {
    using host = configHost();
    host.write(GLOBAL, `[fetch]\n${line}\n`);
    expect(host.problems()).toEqual([expect.stringContaining(why)]);
  });

  it('may name a proxy, hosts without it, an authority and a limit [S1.8]', () => {
    using host = configHost();
    const lines = ['maximum_speed = "1M"', 'proxy = "http://u:p@proxy.example:3128"', 'no_proxy = ["10.0.0.0/8"]', 'ca_file = "/ca.pem"']; // prettier-ignore
    host.write(GLOBAL, `[fetch]\n${lines.join('\n')}\n`);
    expect(host.problems()).toEqual([]);
    expect(host.load().settings.global.fetch).toMatchObject({
      maximumSpeed: 1024 ** 2,
      proxy: 'http://u:p@proxy.example:3128/',
      noProxy: ['10.0.0.0/8'],
      caFile: '/ca.pem',
    });
  });
});
