import { randomInt } from "node:crypto";

/** Without those that look alike. */
const symbols = ["23456789", "ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz"].join("");

/** What Nova answers where nobody chose a password: 12 letters and digits. Guests have no login by it; clients read it. */
export function newPassword(): string {
  return Array.from({ length: 12 }, () => symbols[randomInt(symbols.length)]).join("");
}
