import { ApiError } from "../http/api-error.ts";

/** What Nova makes of another service's refusal with a status, given that one's words. */
export type Translations = Record<number, (message: string) => ApiError>;

/** Runs another service's work; what that refuses is told as Nova tells it. */
export function translated<T>(translations: Translations, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const told = error instanceof ApiError ? translations[error.status]?.(error.message) : undefined;
    throw told ?? error;
  }
}
