import type { Probe } from '../settings.ts';
import type { Complaint } from './problems.ts';
import type { NodeFragment } from './schema.ts';
import { absolutePath, relativePath } from './text.ts';

type ProbeFragment = NonNullable<NonNullable<NodeFragment['gate']>['probe']>[number];

/** `current`: where a program that is no absolute path is looked for, so that a probe can come with its release. */
export function probeSettings(
  probes: readonly ProbeFragment[],
  current: string,
): { probes: readonly Probe[]; complaints: readonly Complaint[] } {
  const complaints: Complaint[] = [];
  const settings = probes.map((probe, index): Probe => {
    switch (probe.type) {
      case 'http': {
        const contains = probe.contains === undefined ? {} : { contains: probe.contains };
        return { type: 'http', url: probe.url, status: probe.status ?? 200, ...contains };
      }
      case 'tcp':
        return { type: 'tcp', host: probe.host ?? '127.0.0.1', port: probe.port };
      case 'unix':
        return probe;
      case 'exec': {
        const [program = '', ...args] = probe.command;
        const path = locate(program, current);
        if ('complaint' in path) complaints.push({ path: [index, 'command'], message: path.complaint });
        return { type: 'exec', command: ['complaint' in path ? program : path.program, ...args] };
      }
    }
  });
  return { probes: settings, complaints };
}

function locate(program: string, current: string): { program: string } | { complaint: string } {
  const quoted = JSON.stringify(program);
  if (program.startsWith('/')) {
    const path = absolutePath(program);
    return path.ok ? { program: path.value } : { complaint: `has a program, ${quoted}, that ${path.why}.` };
  }
  if (!program.includes('/')) {
    const remedy = `write its absolute path, or ${JSON.stringify(`./${program}`)} for a file of the release`;
    return { complaint: `has a program without a path, ${quoted}: ${remedy}.` };
  }
  const path = relativePath(program);
  return path.ok
    ? { program: `${current}/${path.value}` }
    : { complaint: `has a program, ${quoted}, that ${path.why}.` };
}
