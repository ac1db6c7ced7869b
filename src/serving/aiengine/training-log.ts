/** Epochs between two lines. */
const INTERVAL = 100;

/** Whether an epoch (from 1) is told in the log: the first, each hundredth, the last. */
export function isTold(epoch: number, epochs: number): boolean {
  return epoch === 1 || epoch === epochs || epoch % INTERVAL === 0;
}

/** A line of a training's log as the engine writes it; time in UTC. */
export function epochLine(
  name: string,
  epoch: number,
  epochs: number,
  loss: number | undefined,
  now = new Date(),
): string {
  return `${timeOf(now)} [TRAINING] [MODEL] ${name} [Epoch] ${epoch}/${epochs} [Loss] ${(loss ?? Number.NaN).toFixed(2)}\n`;
}

/** The last line of the log of a training that made no model. */
export function failureLine(name: string, reason: string, now = new Date()): string {
  return `${timeOf(now)} [ERROR] [MODEL] ${name} ${reason.replaceAll(/[\r\n]+/g, " ").slice(0, 2000)}\n`;
}

const timeOf = (now: Date) => now.toISOString().slice(0, 19).replace("T", " ");
