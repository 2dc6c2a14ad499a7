//! nginx, over HTTP and HTTPS.

use std::net::SocketAddr;

use super::certificate::Identity;
use super::process::{Recipe, Server, installed};
use super::{accepts, says};

/// What the server answers to a request for `/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// 200 with a short text.
    Fine,
    /// 503, as when the application behind is down.
    Unavailable,
    /// 301 to `https://localhost/`.
    Moved,
}

impl Page {
    fn directive(self) -> &'static str {
        match self {
            Page::Fine => "return 200 \"fine\\n\";",
            Page::Unavailable => "return 503;",
            Page::Moved => "return 301 https://localhost/;",
        }
    }
}

/// nginx in the clear.
pub fn nginx(page: Page) -> Option<Server> {
    let program = installed("nginx", "nginx-light")?;
    let recipe = Recipe::new("nginx");
    let listen = format!("listen {};", recipe.place());
    Some(start(recipe, &program, &listen, page, is_http))
}

/// nginx behind TLS; `identity` makes its certificate for the address it gets.
pub fn nginx_tls(page: Page, identity: impl FnOnce(SocketAddr) -> Identity) -> Option<Server> {
    let program = installed("nginx", "nginx-light")?;
    let recipe = Recipe::new("nginx-tls");
    let identity = identity(recipe.place());
    let listen = format!(
        "listen {} ssl; ssl_certificate {}; ssl_certificate_key {};",
        recipe.place(),
        recipe.file("server.pem", identity.certificate).display(),
        recipe.file("server.key", identity.key).display(),
    );
    Some(start(recipe, &program, &listen, page, accepts))
}

fn is_http(place: SocketAddr) -> bool {
    says(place, b"HEAD / HTTP/1.0\r\n\r\n").is_some_and(|answer| answer.starts_with(b"HTTP/1.1 "))
}

fn start(
    recipe: Recipe,
    program: &std::path::Path,
    listen: &str,
    page: Page,
    is_ready: fn(SocketAddr) -> bool,
) -> Server {
    let folder = recipe.folder().display().to_string();
    // A master process would change the user; alone it stays who we are.
    let config = recipe.file(
        "nginx.conf",
        format!(
            "daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr info;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log {folder}/access.log; client_body_temp_path {folder}/body;\n\
             proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n\
             uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
             server {{ {listen} location / {{ {} }} }} }}\n",
            page.directive(),
        ),
    );
    let args = [
        "-e".into(),
        "stderr".into(),
        "-p".into(),
        folder.into(),
        "-c".into(),
        config.into_os_string(),
    ];
    recipe.start(program, args, is_ready)
}

/// What the server wrote about the requests that it got.
pub fn access_log(server: &Server) -> String {
    std::fs::read_to_string(server.folder().join("access.log")).unwrap_or_default()
}
