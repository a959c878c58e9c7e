/**
 * The content that is measured: real files of node_modules (programs, scripts, maps) in many small files, filled up with
 * shuffled source text and with random bytes, so that it compresses as the releases of network daemons do. Same
 * node_modules, same bytes.
 */
import { createCipheriv, createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export interface Size {
  readonly files: number;
  readonly bytes: number;
}

interface Found {
  readonly path: string;
  readonly size: number;
}

/** What stands for the node's binary. */
export const PROGRAM = 'bin/program';
const SCRIPT = '#!/bin/sh\n';
const FILLERS = 20;
/** Of the filled-up bytes, the part that does not compress at all. */
const RANDOM_PART = 0.15;
const PIECE = 16384;
const TEXT = /\.([cm]?[jt]s|json|md|map)$/;

/** Fills `directory`, which must not exist, with exactly `size`. */
export function makeTree(directory: string, from: string, { files, bytes }: Size): void {
  const real = smallestFirst(from).slice(0, files - FILLERS);
  const largest = largestThatFit(from, bytes - sum(real), FILLERS / 2);
  const taken = [...real, ...largest.filter(({ path }) => !real.some((other) => other.path === path))];
  start(directory);
  for (const { path } of taken) {
    const to = join(directory, 'lib', path);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(join(from, path), to);
  }
  fill(join(directory, 'data'), files - taken.length - 1, bytes - sum(taken) - SCRIPT.length, textOf(from, real));
}

/** An incompressible tree of a few files: an archive as large as what is in it. */
export function makeRandomTree(directory: string, { files, bytes }: Size): void {
  start(directory);
  fill(join(directory, 'data'), files - 1, bytes - SCRIPT.length, undefined);
}

function start(directory: string): void {
  mkdirSync(join(directory, dirname(PROGRAM)), { recursive: true });
  writeFileSync(join(directory, PROGRAM), SCRIPT, { mode: 0o755 });
}

function fill(directory: string, files: number, bytes: number, text: Buffer | undefined): void {
  mkdirSync(directory);
  const random = randomStream();
  const each = Math.floor(bytes / files);
  for (let at = 0; at < files; at++) {
    const size = at === 0 ? bytes - each * (files - 1) : each;
    const isRandom = text === undefined || at < files * RANDOM_PART;
    const piece = isRandom ? () => random(64 * 1024) : () => pieceOf(text, random);
    writePieces(join(directory, `${String(at)}.bin`), size, piece);
  }
}

function writePieces(path: string, size: number, piece: () => Buffer): void {
  const file = openSync(path, 'wx');
  for (let left = size; left > 0;) left -= writeSync(file, piece().subarray(0, left));
  closeSync(file);
}

function pieceOf(text: Buffer, random: (bytes: number) => Buffer): Buffer {
  const pieces = Array.from({ length: 4 }, () => {
    const at = random(4).readUInt32LE(0) % (text.length - PIECE);
    return text.subarray(at, at + PIECE);
  });
  return Buffer.concat(pieces);
}

function randomStream(): (bytes: number) => Buffer {
  const key = createHash('sha256').update('bench').digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  return (bytes) => cipher.update(Buffer.alloc(bytes));
}

function smallestFirst(from: string): Found[] {
  return filesOf(from).sort((a, b) => a.size - b.size || (a.path < b.path ? -1 : 1));
}

function largestThatFit(from: string, room: number, most: number): Found[] {
  const chosen: Found[] = [];
  for (const file of smallestFirst(from).reverse()) {
    if (chosen.length < most && sum(chosen) + file.size < room) chosen.push(file);
  }
  return chosen;
}

function textOf(from: string, files: readonly Found[]): Buffer {
  const texts = files.filter(({ path }) => TEXT.test(path));
  return Buffer.concat(texts.slice(-2000).map(({ path }) => readFileSync(join(from, path))));
}

function filesOf(from: string): Found[] {
  const entries = readdirSync(from, { withFileTypes: true, recursive: true });
  return entries.flatMap((entry) => {
    const path = join(entry.parentPath, entry.name).slice(from.length + 1);
    return entry.isFile() ? [{ path, size: statSync(join(from, path)).size }] : [];
  });
}

function sum(files: readonly Found[]): number {
  return files.reduce((total, { size }) => total + size, 0);
}
