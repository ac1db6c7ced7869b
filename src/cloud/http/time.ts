import { now } from "../clock/clock.ts";

/** `2026-01-02T03:04:05Z`: Nova, Neutron, Glance. */
export function isoSeconds(date: Date = new Date(now())): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

/** `2026-01-02T03:04:05.000000`, no zone: Nova's extensions. */
export function isoMicrosNoZone(stamp: string): string {
  return `${stamp.slice(0, 19)}.000000`;
}
