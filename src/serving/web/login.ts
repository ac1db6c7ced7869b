import type { Caller } from "../access/roles.ts";
import { html } from "./html.ts";
import type { View } from "./layout.ts";

/** The form that takes a token; `to` is where it leads, `problem` why it is shown again. */
export function loginForm(to: string, problem: string | undefined): View {
  return {
    title: "Log in",
    body: html`<h1>Log in</h1>
<p class="lead">This host asks who you are: paste the token that you were given.</p>
${problem === undefined ? undefined : html`<p class="message" role="alert">${problem}.</p>`}
<form method="post" action="/login">
<input type="hidden" name="to" value="${to}">
<p class="field"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus></p>
<button>Log in</button>
</form>`,
  };
}

/** Who is logged in, and the way out. */
export function loggedIn({ name, role }: Caller): View {
  return {
    title: "Logged in",
    body: html`<h1>Logged in</h1>
<p class="lead">As ${name}, with the role ${role}.</p>
<form method="post" action="/logout"><button>Log out</button></form>`,
  };
}
