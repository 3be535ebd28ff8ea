//! Behind Debian's nginx, with the file that the documentation gives: sockets, streams that aren't
//! held back, real addresses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use frontdesk::protocol::console::SignIn;
use frontdesk::turn::Mode;
use futures_util::StreamExt as _;
use serde_json::json;

use crate::support::{ChatClient, LIMIT, TestServer, answer};

/// nginx in front of a server. Stops with its test.
struct Nginx {
    process: Child,
    addr: SocketAddr,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian installs it where users' paths don't lead.
fn nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join("nginx")).find(|file| file.exists())
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Nginx {
    /// Starts it with docs/proxies/nginx.conf; only addresses and the certificate are the test's.
    async fn before(server: &TestServer, nginx: &Path) -> Self {
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let given = include_str!("../../docs/proxies/nginx.conf");
        let site: Vec<String> = given
            .lines()
            .filter(|line| !line.trim_start().starts_with("ssl_"))
            .map(|line| line.replace("listen 443 ssl", &format!("listen {addr}")))
            .map(|line| line.replace("server 127.0.0.1:8080", &format!("server {}", server.addr())))
            .collect();
        let folder = server.directory.join("nginx");
        std::fs::create_dir_all(&folder).unwrap();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};", folder.display()));
        let text = format!(
            "daemon off; master_process off; pid {0}/pid; error_log stderr warn;\nevents {{}}\nhttp {{\naccess_log off;\n{1}\n{2}\n}}\n",
            folder.display(),
            temporary.join("\n"),
            site.join("\n")
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(nginx);
        command.arg("-c").arg(&file).arg("-p").arg(&folder).arg("-e").arg(folder.join("error.log"));
        let process = command.stdout(Stdio::null()).spawn().unwrap();
        let this = Self { process, addr };
        let up = async {
            while tokio::net::TcpStream::connect(addr).await.is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT, up).await.expect("nginx listens in time");
        this
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

#[tokio::test]
async fn nginx_passes_on_sockets_streams_and_addresses() {
    let Some(binary) = nginx() else {
        eprintln!("nginx isn't installed (Debian: nginx-light); nothing was tried");
        return;
    };
    let server = TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.llm.scripted_token_ms = 40;
        // The test's clients come from other addresses of this machine.
        config.server.trusted_proxies = vec!["127.0.0.1".into()];
    })
    .await;
    let nginx = Nginx::before(&server, &binary).await;

    let mut visitor = ChatClient::connect(nginx.addr).await.hello().await;
    let (said, _) = answer(&visitor.ask("m1", "What does shipping within Ireland cost?").await);
    assert!(said.contains("4.90"), "{said}");

    // A stream that was held back would come in one piece, with its end.
    let body = json!({ "site": "shop", "text": "What does shipping within Ireland cost?" });
    let response = reqwest::Client::new()
        .post(nginx.url("/v1/chat/messages"))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["cache-control"], "no-cache, no-transform");
    let mut pieces = response.bytes_stream();
    let (mut text, mut before_the_end) = (String::new(), 0);
    while let Some(piece) =
        tokio::time::timeout(LIMIT, pieces.next()).await.expect("a piece in time")
    {
        text.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        before_the_end += usize::from(!text.contains("event: answer.done"));
    }
    assert!(
        text.contains("event: answer.done") && before_the_end >= 3,
        "{before_the_end} pieces came early: {text}"
    );

    // Failed sign-ins count for the address that they come from, whatever else the client claims.
    let sign_in = async |from: u8, login: String, claims: Option<&str>| {
        let from = IpAddr::from(Ipv4Addr::new(127, 0, 0, from));
        let client = reqwest::Client::builder().local_address(from).build().unwrap();
        let body = SignIn { login, password: "not the password".into(), code: None };
        let mut request = client.post(nginx.url("/v1/console/sign-in")).json(&body);
        if let Some(claims) = claims {
            request = request
                .header("x-forwarded-for", claims)
                .header("forwarded", format!("for={claims}"));
        }
        request.send().await.unwrap().status().as_u16()
    };
    for i in 0..30 {
        assert_eq!(sign_in(2, format!("nobody{i}"), Some(&format!("203.0.113.{i}"))).await, 401);
    }
    assert_eq!(sign_in(2, "somebody".into(), None).await, 429);
    assert_eq!(sign_in(2, "somebody".into(), Some("203.0.113.99")).await, 429);
    assert_eq!(sign_in(3, "somebody".into(), None).await, 401);
}
