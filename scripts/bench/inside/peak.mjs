// Loaded into our processes: at their end, the kernel's high-water mark of their memory, to standard error.
import { readFileSync, writeSync } from 'node:fs';

process.on('exit', () => {
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'));
  writeSync(2, `<6>peak memory ${process.argv[2]} ${peak[1]} KiB\n`);
});
