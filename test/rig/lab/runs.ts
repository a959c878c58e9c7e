/** What `lab.facts()` says of a node that runs this version, with nothing open and nothing left behind. */
export function runs(version: string) {
  return { current: version, fallback: '', active: 'active', running: version, leftovers: '' };
}
