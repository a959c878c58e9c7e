/** Text from outside, made fit for a message: printable ASCII and short. */
export function shown(text: string, most = 200): string {
  const plain = text.replace(/[^\x20-\x7e]/g, '?');
  return plain.length > most ? `${plain.slice(0, most)}…` : plain;
}

/** A URL as a message names it: without query, which may hold a token. */
export function shownUrl(url: URL): string {
  return shown(url.protocol === 'file:' ? url.href : `${url.origin}${url.pathname}`);
}

export function seconds(ms: number): string {
  return `${String(Math.round(ms / 100) / 10)} s`;
}
