/** From a command to the one module that carries it out: nothing else is loaded. */
import { EXIT, unreachable } from '../errors.ts';
import type { Ended, Invocation } from './command.ts';
import type { Host } from './host.ts';

export async function dispatch({ command, format }: Invocation, host: Host): Promise<Ended> {
  switch (command.name) {
    case 'status':
      return (await import('./status.ts')).status(command, format, host);
    case 'why':
      return (await import('./why.ts')).why(command, format, host);
    case 'versions':
      return (await import('./versions.ts')).versions(command, format, host);
    case 'restage':
      return (await import('./restage.ts')).restage(command, format, host);
    case 'history':
      return (await import('./history.ts')).history(command, format, host);
    case 'check':
      return (await import('./check.ts')).check(command, format, host);
    case 'upgrade':
      return (await import('./upgrade.ts')).upgrade(command, format, host);
    case 'rollback':
      return (await import('./rollback.ts')).rollback(command, format, host);
    case 'prune':
      return (await import('./prune.ts')).prune(command, format, host);
    case 'drill':
      return (await import('./drill.ts')).drill(command, format, host);
    case 'backup':
      return (await import('./backup.ts')).backup(command, format, host);
    case 'keys':
      return (await import('./keys.ts')).keys(command, format, host);
    case 'config':
      return (await import('./settings.ts')).settings(command, format, host);
    case 'release':
      return (await import('./publisher.ts')).publisher(host);
    case 'transact':
      return (await import('./transact.ts')).transact(command, host);
    case 'fetch':
      return (await import('./fetch.ts')).fetch(command, host);
    case 'probe':
      return (await import('./probe.ts')).probe(command, host);
    case 'backup-room':
      return (await import('./backup-room.ts')).backupRoom(command, host);
    case 'run':
      return (await import('./run.ts')).run(host);
    case 'answered':
      return EXIT.done;
    default:
      return unreachable(command);
  }
}
