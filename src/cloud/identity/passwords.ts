import { createHash, randomBytes, scryptSync, timingSafeEqual } from "node:crypto";
import type { User } from "./accounts.ts";

export function newPassword(): string {
  return randomBytes(24).toString("base64url");
}

/** A user's part that a password is checked by, where nobody could have guessed it. */
export function randomPasswordFields(password: string): Pick<User, "passwordHash" | "salt"> {
  const salt = randomBytes(16).toString("hex");
  return { passwordHash: fastHash(password, salt), salt };
}

/** A user's part that a password is checked by, where somebody chose it. */
export function passwordFields(password: string): Pick<User, "passwordHash" | "salt" | "chosen"> {
  const salt = randomBytes(16).toString("hex");
  return { passwordHash: slowHash(password, salt), salt, chosen: true };
}

export function passwordMatches(user: User, password: string): boolean {
  const hashed = user.chosen ? slowHash(password, user.salt) : fastHash(password, user.salt);
  return timingSafeEqual(Buffer.from(user.passwordHash, "hex"), Buffer.from(hashed, "hex"));
}

function fastHash(password: string, salt: string): string {
  return createHash("sha256").update(salt).update(password).digest("hex");
}

function slowHash(password: string, salt: string): string {
  return scryptSync(password, salt, 32).toString("hex");
}
