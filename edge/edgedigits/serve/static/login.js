// The token for a cookie. A link may bring it after the #, which no browser sends or logs.

import { $, ask, asJson, say } from "./common.js";

const PAGES = ["/", "/pad", "/picture", "/form"];

async function enter(token) {
  try {
    await ask("/api/login", asJson("POST", { token }));
    const next = new URLSearchParams(location.search).get("next");
    location.replace(PAGES.includes(next) ? next : "/");
  } catch (error) {
    say("trouble", error.message);
    $("token").select();
  }
}

$("door").addEventListener("submit", (event) => {
  event.preventDefault();
  enter($("token").value);
});

const brought = new URLSearchParams(location.hash.slice(1)).get("token");
if (brought) {
  history.replaceState(null, "", location.pathname + location.search);
  enter(brought);
}
$("token").focus();
