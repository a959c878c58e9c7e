import { didYouMean } from '../config/suggest.ts';
import { UpdaterError } from '../errors.ts';
import type { NodeName } from '../release.ts';

/** The node that was named, or the only one. Throws CONFIG_UNKNOWN_NODE or USAGE_INVALID. */
export function pickNode(name: string | undefined, known: readonly NodeName[]): NodeName {
  if (known.length === 0) {
    throw new UpdaterError('CONFIG_UNKNOWN_NODE', 'No node is configured on this host', {
      remedy: 'Add a file /etc/node-updater/nodes.d/NODE.toml, then type: node-updater config --check',
    });
  }
  if (name !== undefined) {
    const node = known.find((candidate) => candidate === name);
    if (node !== undefined) return node;
    throw new UpdaterError(
      'CONFIG_UNKNOWN_NODE',
      `There is no node ${JSON.stringify(name)}.${didYouMean(name, known)}`,
      {
        remedy: `The nodes of this host: ${known.join(', ')}.`,
      },
    );
  }
  const [only, ...others] = known;
  if (only !== undefined && others.length === 0) return only;
  throw new UpdaterError('USAGE_INVALID', 'This host has more than one node: name the one that is meant', {
    remedy: `The nodes of this host: ${known.join(', ')}.`,
  });
}
