/**
 * What an error reply means to the operator. Compared by its D-Bus name, never by its text, which is translated and changes.
 *
 * The line that matters (F087, F089): a fault of the bus, or a host that is going down, is HOST_BUS and is tried again; it must never
 * be taken for a unit that failed, or a good release would be rolled back.
 */
import { UpdaterError } from '../errors.ts';

export interface ErrorReply {
  readonly ok: false;
  /** Such as `org.freedesktop.systemd1.NoSuchUnit`. */
  readonly type: string;
  readonly text: string;
}

const SYSTEMD = 'org.freedesktop.systemd1.';
const DBUS = 'org.freedesktop.DBus.Error.';

const denied = new Set(['AccessDenied', 'AuthFailed', 'InteractiveAuthorizationRequired'].map((name) => DBUS + name));

/** A shutdown holds irreversible jobs, and whatever contradicts one is called destructive. */
const goingDown = new Set(['ShuttingDown', 'TransactionIsDestructive'].map((name) => SYSTEMD + name));

/** Names outside systemd's own that nevertheless speak of the unit or of its file. */
const aboutTheUnit = new Set(
  ['FileNotFound', 'FileExists', 'InvalidArgs', 'UnknownObject', 'UnknownInterface', 'NotSupported'].map(
    (name) => DBUS + name,
  ),
);

const remedies: Readonly<Record<string, (unit: string) => string>> = {
  NoSuchUnit: (unit) =>
    `There is no unit ${unit}. Type: systemctl status ${unit}, and correct the node's file in /etc/node-updater/nodes.d.`,
  UnitMasked: (unit) => `The unit is masked. Type: systemctl unmask ${unit}`,
  LoadFailed: (unit) =>
    `The unit's file cannot be loaded. Type: systemd-analyze verify ${unit}, and correct what it names.`,
  BadUnitSetting: (unit) =>
    `The unit's file is wrong. Type: systemd-analyze verify ${unit}, and correct what it names.`,
};

/** `doing` begins the message: `start storj.service`. `unit` is the unit, or the word for what was asked of. */
export function refusal(reply: ErrorReply, doing: string, unit: string): UpdaterError {
  const cause = new Error(`${reply.type}: ${reply.text}`);
  const message = `systemd refused to ${doing}: ${reply.text || reply.type}`;
  if (denied.has(reply.type)) {
    return new UpdaterError('USAGE_NOT_PERMITTED', message, {
      remedy: 'This needs root. Type the command again with sudo, or look for a polkit rule that denies it.',
      cause,
    });
  }
  if (goingDown.has(reply.type)) {
    return new UpdaterError('HOST_BUS', `${message} (the host is shutting down, or has such a job queued)`, {
      remedy: 'Nothing is wrong with the node. Wait for the shutdown, or type: systemctl list-jobs',
      cause,
    });
  }
  if (reply.type.startsWith(SYSTEMD) || reply.type.startsWith('System.Error.') || aboutTheUnit.has(reply.type)) {
    const remedy = remedies[reply.type.slice(SYSTEMD.length)];
    return new UpdaterError('HOST_UNIT', message, {
      remedy: remedy?.(unit) ?? `Type: systemctl status ${unit}, and journalctl -b -u ${unit}`,
      cause,
    });
  }
  return busFault(`the system bus could not ${doing}: ${reply.text || reply.type}`, cause);
}

export function busFault(message: string, cause: unknown): UpdaterError {
  return new UpdaterError('HOST_BUS', message, {
    remedy: 'It is tried again at the next run. If it stays, type: systemctl status dbus.service, and busctl list',
    cause,
  });
}
