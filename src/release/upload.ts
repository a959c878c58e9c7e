/**
 * Copies a published directory to a server, with a tool that people have. `manifest.json` goes last, when everything that it
 * names is there; nothing is ever removed, since hosts hold older manifests and walk older key sets.
 */
import { UpdaterError } from '../errors.ts';
import type { Run } from '../host/ports.ts';
import { refuse } from './refuse.ts';
import { MANIFEST_FILE } from './site.ts';

export const S3_TOOLS = ['aws', 'rclone', 's3cmd'] as const;
export type S3Tool = (typeof S3_TOOLS)[number];

export type Upload =
  /** As rsync takes it: `host:/srv/www/demo`, or a directory. */
  | { readonly kind: 'rsync'; readonly target: string }
  /** `s3://bucket/prefix`. `tool` undefined: the first that is installed. */
  | { readonly kind: 's3'; readonly target: string; readonly tool: S3Tool | undefined };

/** Everything but the manifest bears its digest or its number in its name: a cache may keep it for ever. */
const KEEP_FOREVER = 'public, max-age=31536000, immutable';
/** To be asked for anew each time; a cache may answer "not modified". */
const ASK_AGAIN = 'no-cache';
/** Archives are large and lines slow; a tool that hangs is still ended. */
const TIMEOUT = 6 * 60 * 60_000;

/** The commands, in their order. */
export function uploadCommands(
  directory: string,
  upload: Upload,
  tool: S3Tool = 'aws',
): readonly (readonly string[])[] {
  const from = directory.replace(/\/+$/, '');
  const to = upload.target.replace(/\/+$/, '');
  if (upload.kind === 'rsync') return rsync(from, to);
  return { aws, rclone, s3cmd }[tool](from, to);
}

/**
 * To every target, also when one cannot be reached: of a halt everybody should hear who still can. Throws what `runUpload` does,
 * in one error for all that failed.
 */
export async function runUploads(directory: string, uploads: readonly Upload[], tools: UploadTools): Promise<void> {
  const failed: UpdaterError[] = [];
  for (const upload of uploads) {
    try {
      await runUpload(directory, upload, tools);
    } catch (error) {
      if (!(error instanceof UpdaterError)) throw error;
      failed.push(error);
    }
  }
  const [first, ...others] = failed;
  if (first === undefined) return;
  if (others.length === 0) throw first;
  const all = (say: (error: UpdaterError) => string, between: string): string => failed.map(say).join(between);
  const cause = new AggregateError(failed, 'uploads');
  throw refuse(
    'RELEASE_UPLOAD',
    all(({ message }) => message, '; '),
    all(({ remedy }) => remedy, ' '),
    cause,
  );
}

/** Throws RELEASE_UPLOAD with the tool's own words. What is published in the directory stays so; the upload can be repeated. */
export async function runUpload(directory: string, upload: Upload, tools: UploadTools): Promise<readonly string[]> {
  const tool = upload.kind === 's3' ? (upload.tool ?? (await installed(tools))) : undefined;
  const commands = uploadCommands(directory, upload, tool);
  for (const command of commands) {
    const { status, stdout, stderr } = await tools.run(command, { env: tools.env, timeout: TIMEOUT });
    if (status === 0) continue;
    const words = `${stderr.toString()}${stdout.toString()}`.trim().split('\n').slice(-5).join('; ');
    const again = upload.kind === 'rsync' ? `--rsync ${upload.target}` : `--s3 ${upload.target}`;
    throw refuse(
      'RELEASE_UPLOAD',
      `${command[0] ?? ''} failed: ${words}`,
      `${directory} is published; hosts see the publication before until the copy is. Type: node-updater release upload ${directory} ${again}`,
    );
  }
  return commands.map((command) => command.join(' '));
}

export interface UploadTools {
  readonly run: Run;
  /** The tools find their credentials here. */
  readonly env: Readonly<Record<string, string>>;
}

function rsync(from: string, to: string): readonly (readonly string[])[] {
  // rsync gives each file its name when it is whole, and leaves what it knows by size and time.
  // Two manifests of one second and one length are not the same.
  const common = ['rsync', '--times', '--ignore-times', '--chmod=D755,F644', '--'];
  return [
    [
      'rsync',
      '--recursive',
      '--times',
      '--chmod=D755,F644',
      `--exclude=/${MANIFEST_FILE}`,
      '--exclude=*.tmp',
      '--',
      `${from}/`,
      `${to}/`,
    ],
    [...common, `${from}/${MANIFEST_FILE}`, `${to}/${MANIFEST_FILE}`],
  ];
}

function aws(from: string, to: string): readonly (readonly string[])[] {
  const excluded = ['--exclude', MANIFEST_FILE, '--exclude', '*.tmp'];
  const manifest = [`${from}/${MANIFEST_FILE}`, `${to}/${MANIFEST_FILE}`];
  return [
    [
      'aws',
      's3',
      'sync',
      `${from}/`,
      `${to}/`,
      ...excluded,
      '--size-only',
      '--no-progress',
      '--cache-control',
      KEEP_FOREVER,
    ],
    [
      'aws',
      's3',
      'cp',
      ...manifest,
      '--no-progress',
      '--cache-control',
      ASK_AGAIN,
      '--content-type',
      'application/json',
    ],
  ];
}

/** The remote needs no configuration file: credentials come from AWS_*, an endpoint from RCLONE_S3_ENDPOINT. */
function rclone(from: string, to: string): readonly (readonly string[])[] {
  const remote = to.replace(/^s3:\/\//, ':s3,env_auth=true:');
  const header = (value: string): readonly string[] => ['--header-upload', `Cache-Control: ${value}`];
  const excluded = ['--exclude', `/${MANIFEST_FILE}`, '--exclude', '*.tmp'];
  return [
    ['rclone', 'copy', from, remote, ...excluded, '--size-only', ...header(KEEP_FOREVER)],
    [
      'rclone',
      'copyto',
      '--ignore-times',
      `${from}/${MANIFEST_FILE}`,
      `${remote}/${MANIFEST_FILE}`,
      ...header(ASK_AGAIN),
    ],
  ];
}

function s3cmd(from: string, to: string): readonly (readonly string[])[] {
  const header = (value: string): string => `--add-header=Cache-Control: ${value}`;
  const quiet = ['--no-progress', '--guess-mime-type', '--no-mime-magic'];
  const excluded = [`--rexclude=^${MANIFEST_FILE.replace('.', '\\.')}$`, '--exclude=*.tmp', '--no-delete-removed'];
  return [
    ['s3cmd', 'sync', ...quiet, ...excluded, header(KEEP_FOREVER), `${from}/`, `${to}/`],
    ['s3cmd', 'put', ...quiet, header(ASK_AGAIN), `${from}/${MANIFEST_FILE}`, `${to}/${MANIFEST_FILE}`],
  ];
}

async function installed({ run, env }: UploadTools): Promise<S3Tool> {
  for (const tool of S3_TOOLS) {
    try {
      const { status } = await run([tool, '--version'], { env, timeout: 60_000 });
      if (status === 0) return tool;
    } catch (error) {
      // Not installed: the next one may be.
      if (!(error instanceof UpdaterError) || error.code !== 'HOST_TOOL') throw error;
    }
  }
  throw refuse(
    'RELEASE_UPLOAD',
    `none of ${S3_TOOLS.join(', ')} is installed`,
    'Install one of them (apt install rclone).',
  );
}
