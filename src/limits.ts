/**
 * Every limit on what comes from outside, in one place; src/README.md lists them with their reasons. Bytes unless the name
 * says otherwise.
 */
export const LIMITS = {
  // What is read before anything is known of it.
  envelope: 256 * 1024,
  /** The text inside an envelope: a manifest, or a key set. */
  manifest: 64 * 1024,
  signature: 16 * 1024,
  signaturesPerManifest: 16,
  keyFile: 64 * 1024,
  packetsPerKeyFile: 2000,
  jsonDepth: 32,
  filesPerOrder: 64,
  /** Each is asked at every look. */
  mirrorsPerSource: 16,
  // What a signed text may state.
  releases: 256,
  artifactsPerRelease: 16,
  urlsPerArtifact: 16,
  urlCharacters: 2048,
  notesCharacters: 4096,
  /** So many publications between two looks at the source; more is an attack, or a mistake that nobody could repair. */
  serialsAtOnce: 1_000_000,
  /** Where a host may start: half of all numbers, so that no first contact leaves a publisher without a higher one. */
  firstSerial: 2 ** 52,
  keysPerSet: 16,
  /** One armoured certificate inside a key set. */
  certificate: 16 * 1024,
  keySets: 10_000,
  /** How many key sets a host asks for at a time while it walks. */
  keySetsAtOnce: 8,
  // Strength and time.
  rsaBits: 3072,
  /** How far, in milliseconds, the clocks of a publisher and of this host may differ; the same allowance as apt's. */
  clockSkew: 10_000,
  /** For so long, in milliseconds, a publisher may vouch: who keeps newer statements from a host has no longer than that. */
  manifestLife: 90 * 24 * 60 * 60 * 1000,
  keySetLife: 5 * 366 * 24 * 60 * 60 * 1000,
  /** How long before their end, in milliseconds, a manifest and keys are warned of. */
  warnManifest: 7 * 24 * 60 * 60 * 1000,
  warnKeys: 30 * 24 * 60 * 60 * 1000,
  /** How long, in milliseconds, gpgv may take for a document in memory. */
  gpgv: 10_000,
  gpgvOutput: 64 * 1024,
  // Archives.
  archive: 64 * 1024 ** 3,
  unpacked: 256 * 1024 ** 3,
  entries: 1_000_000,
  pathBytes: 4096 - 256,
  componentBytes: 255,
  depth: 64,
  linkTargetBytes: 4096 - 256,
  paxBytes: 64 * 1024,
  /** What xz may use to decompress; `xz -9` asks for 65 MiB. */
  xzMemory: 128 * 1024 ** 2,
  /** How long, in milliseconds, xz may write nothing. */
  xzSilence: 60_000,
} as const;
