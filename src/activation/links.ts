import { readlink } from 'node:fs/promises';
import { errnoOf, UpdaterError } from '../errors.ts';
import type { NodeLayout } from '../layout.ts';
import { parseVersion, type Version } from '../release.ts';

export interface Links {
  readonly current: Version | undefined;
  readonly fallback: Version | undefined;
}

/** The one truth about a node (DESIGN.md section 6), read from the disk. */
export async function readLinks(layout: NodeLayout): Promise<Links> {
  return { current: await readVersionLink(layout.current), fallback: await readVersionLink(layout.fallback) };
}

/** The version that a link names; undefined when there is no link. Throws HOST_STATE for anything else. */
export async function readVersionLink(path: string): Promise<Version | undefined> {
  let text: string;
  try {
    text = await readlink(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new UpdaterError('HOST_STATE', `${path} is not a symbolic link that can be read`, {
      cause: error,
      remedy: `Look at it: ls -ld ${path}. It is changed by node-updater alone, as a link to versions/VERSION.`,
    });
  }
  const version = /^versions\/([^/]+)\/?$/.exec(text)?.[1];
  const parsed = version === undefined ? undefined : parseVersion(version);
  if (parsed !== undefined) return parsed;
  throw new UpdaterError('HOST_STATE', `${path} points to "${text}", which is no version under versions/`, {
    remedy: `Point it to a version: ln -sfn versions/VERSION ${path}`,
  });
}
