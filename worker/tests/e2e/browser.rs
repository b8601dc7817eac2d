//! Chromium, as the console's readers use it. Where no `chromedriver` is installed the tests say so and end:
//! `cargo xtask test` installs it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use copydesk_testkit::KEY;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::system::{PATIENCE, System};

/// The width and height of a phone, and of a desktop.
pub(crate) const PHONE: (u32, u32) = (390, 844);
pub(crate) const DESKTOP: (u32, u32) = (1280, 900);

/// What a page must hear to be sure that no script of a stranger ran in it.
const WATCH: &str = "window.__refused = []; window.__errors = [];
    document.addEventListener('securitypolicyviolation', (event) => window.__refused.push(event.blockedURI + ' ' + event.violatedDirective));
    window.addEventListener('error', (event) => window.__errors.push(String(event.message)));
    window.addEventListener('unhandledrejection', (event) => window.__errors.push(String(event.reason)));";

/// A browser with one page of the console.
pub(crate) struct Browser {
    client: Client,
    url: String,
    // Ends with the test.
    _driver: Child,
}

impl Browser {
    /// A browser that is logged in; `None`, and a line that says so, where there is none.
    pub(crate) async fn of(system: &System, (width, height): (u32, u32)) -> Option<Self> {
        let (driver, port) = driver().await?;
        let options = json!({
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-prefers-reduced-motion"],
            "mobileEmulation": { "deviceMetrics": { "width": width, "height": height, "pixelRatio": 1.0, "touch": false } },
        });
        let capabilities = Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&format!("http://127.0.0.1:{port}")).await.unwrap();
        let browser = Self { client, url: system.url(), _driver: driver };
        browser.client.goto(&browser.url).await.unwrap();
        browser.fill("input[type=password]", KEY).await;
        browser.click("Log in").await;
        browser.sees("Operate").await;
        browser.run(WATCH).await;
        Some(browser)
    }

    /// Goes to a fragment, and waits until its page is shown and no colour is on its way to another.
    pub(crate) async fn go(&self, fragment: &str) {
        self.run(&format!("location.hash = {}", json!(fragment))).await;
        let drawn = "const main = document.querySelector('main');
            return !!main && !main.querySelector('.skeleton') && main.innerText.trim().length > 0;";
        self.until(fragment, drawn).await;
        self.until("the end of transitions", "return document.getAnimations().length === 0;").await;
    }

    /// Waits until a text is on the page.
    pub(crate) async fn sees(&self, text: &str) {
        self.until(text, &format!("return document.body.innerText.includes({});", json!(text))).await;
    }

    /// Waits until a script answers true.
    pub(crate) async fn until(&self, what: &str, script: &str) {
        let give_up = Instant::now() + PATIENCE;
        while self.run(script).await != json!(true) {
            if Instant::now() > give_up {
                self.picture("missing").await;
                let shown = self.run("return document.body.innerText;").await;
                panic!("{what} is not there: {shown}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Clicks what is called so, once it is there.
    pub(crate) async fn click(&self, name: &str) {
        let script = format!(
            "const name = {}, dialog = document.querySelector('dialog[open]');
             const all = [...(dialog ?? document).querySelectorAll('button, a, summary, label')];
             const found = all.find((one) => (one.textContent.trim() === name || one.getAttribute('aria-label') === name)
                 && one.offsetParent !== null && !one.disabled && one.getAttribute('aria-disabled') !== 'true');
             found?.focus();
             found?.click();
             return !!found;",
            json!(name)
        );
        self.until(name, &script).await;
    }

    /// Types into the first field that matches, in place of what is there.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await.unwrap();
        let field = self.client.find(Locator::Css(css)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Gives a file to the page's file field.
    pub(crate) async fn choose_file(&self, path: &str) {
        self.client.wait().at_most(PATIENCE).for_element(Locator::Css("input[type=file]")).await.unwrap();
        let field = self.client.find(Locator::Css("input[type=file]")).await.unwrap();
        field.send_keys(path).await.unwrap();
    }

    /// The page once more, from what the browser has kept of it.
    pub(crate) async fn reload(&self) {
        self.client.refresh().await.unwrap();
        self.sees("Operate").await;
        self.run(WATCH).await;
    }

    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Writes what is seen to `target/screens/<name>.png`.
    pub(crate) async fn picture(&self, name: &str) {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/screens"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), self.client.screenshot().await.unwrap()).unwrap();
    }

    /// The page in light and in dark fits its width, and is pictured.
    pub(crate) async fn pictures(&self, name: &str) {
        for theme in ["light", "dark"] {
            self.run(&format!("document.documentElement.dataset.theme = '{theme}'")).await;
            self.picture(&format!("{name}-{theme}")).await;
        }
        self.run("delete document.documentElement.dataset.theme").await;
        let wider =
            self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth;").await;
        assert_eq!(wider, json!(0), "{name} is wider than the screen");
    }

    /// No script failed, and the policy had nothing to refuse.
    pub(crate) async fn was_calm(&self) {
        let heard = self.run("return [window.__errors, window.__refused];").await;
        assert_eq!(heard, json!([[], []]));
    }

    pub(crate) async fn leave(self) {
        self.client.close().await.unwrap();
    }
}

/// A driver of its own on a free port.
async fn driver() -> Option<(Child, u16)> {
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            println!("skipped: no chromedriver ({error}); `cargo xtask test` installs it");
            return None;
        }
    };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(port) =
            line.rsplit_once("successfully on port ").and_then(|(_, port)| port.trim_end_matches('.').parse().ok())
        {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Some((child, port));
        }
    }
    panic!("chromedriver did not say where it listens");
}
