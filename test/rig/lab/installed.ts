import { makeLab, type Lab } from './lab.ts';

/** A host whose node runs 1.0.0, committed, as its operator would have it installed. Takes what `lab.configure` takes. */
export async function makeInstalled(...configured: Parameters<Lab['configure']>): Promise<Lab> {
  const lab = await makeLab();
  try {
    await lab.configure(...configured);
    await lab.publish('1.0.0');
    const { status, stderr } = await lab.updater('upgrade');
    if (status !== 0) throw new Error(`the first installation ended with ${status}: ${stderr}`);
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}
