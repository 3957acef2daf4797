//! Serves the pages, without sessions and without the core: what there is of the server so far.

use axum::serve::ListenerExt;
use lingbao_app::form::ssr::Pages;
use lingbao_server::http::pages::{build_id, leptos_options, pages};
use std::{error::Error, sync::Arc};

#[tokio::main(worker_threads = 4)]
async fn main() -> Result<(), Box<dyn Error>> {
    let exe = std::env::current_exe()?;
    let exe_dir = exe.parent().ok_or("the program has no folder")?;
    let options = leptos_options("target/site", exe_dir);
    let build = build_id(exe_dir);
    let address = options.site_addr;
    let state = Pages {
        options,
        build,
        context: Arc::new(|| ()),
    };
    // Without this a page waits 40 ms for a delayed acknowledgement.
    let listener = tokio::net::TcpListener::bind(address)
        .await?
        .tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
    println!("http://{address}");
    axum::serve(listener, pages(state)).await?;
    Ok(())
}
