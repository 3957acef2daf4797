//! The pages: a Leptos application, rendered on the server and made live in the browser.
