/*
 * A link that holds a one-time code leaves the address and the history of this tab: the form has the code, and goes to
 * an address without it, which is the one to show.
 */
"use strict";

window.history.replaceState(null, "", document.querySelector("main form").action);
