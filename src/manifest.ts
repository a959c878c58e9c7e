import type { Digest, Version } from './release.ts';

export { LIMITS } from './limits.ts';

/**
 * The signed statement of what is on offer (DESIGN.md section 7). Only `parseManifest` (trust/manifest.ts), called on
 * bytes whose signatures were accepted, makes one.
 */
export interface Manifest {
  readonly schema: 1;
  readonly name: string;
  readonly channel: string;
  /** Strictly rising from one publication to the next: what stops a replay. */
  readonly serial: number;
  /** Milliseconds since the epoch, from RFC 3339 text in UTC. */
  readonly published: number;
  readonly expires: number;
  readonly minimum?: Version;
  readonly suggested: Version;
  readonly rollout?: Rollout;
  readonly withdrawn: readonly Version[];
  readonly releases: readonly Release[];
}

export interface Rollout {
  readonly version: Version;
  /** 32 bytes as 64 hex digits each. */
  readonly seed: string;
  readonly cursor: string;
}

export interface Release {
  readonly version: Version;
  readonly published: number;
  readonly severity: 'routine' | 'important' | 'critical';
  readonly notes?: string;
  readonly epoch: number;
  readonly rollback: 'safe' | 'restore-data' | 'never';
  readonly notBefore?: number;
  readonly artifacts: readonly Artifact[];
}

/** What a release says of the node's data: a higher epoch is a format that older versions may not read. */
export type DataFormat = Pick<Release, 'epoch' | 'rollback'>;

export interface Artifact {
  readonly os: 'linux';
  readonly arch: 'amd64' | 'arm64';
  readonly libc: 'gnu' | 'musl' | 'static';
  /** Absolute URLs, or relative to the URL that the manifest came from; tried in order. */
  readonly url: readonly string[];
  /** Bytes of the archive. */
  readonly size: number;
  /** Bytes of all regular files together. */
  readonly unpackedSize: number;
  /**
   * Files, directories and symbolic links, as `tar t | wc -l` counts them: an entry for the root itself (`./`, which
   * `release build` never makes) counts, a header that only describes another entry (pax, GNU long names) does not.
   */
  readonly entries: number;
  readonly sha256: Digest;
  /** URL of the detached OpenPGP signature of the archive. */
  readonly signature: string;
}
