//! The fields of readable log lines: `message name=value`, each in the same line whatever it holds.

use std::error::Error;
use std::fmt::{self, Debug, Write};

use tracing_subscriber::field::{RecordFields, Visit};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

use super::escape::Escaping;

/// Formats the fields of events and spans.
pub(super) struct ConsoleFields;

impl<'w> FormatFields<'w> for ConsoleFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut console = Console { writer: Escaping(&mut writer), is_empty: true, result: Ok(()) };
        fields.record(&mut console);
        console.result
    }
}

struct Console<'a, 'w> {
    writer: Escaping<&'a mut Writer<'w>>,
    is_empty: bool,
    result: fmt::Result,
}

impl Console<'_, '_> {
    fn write(&mut self, name: &str, value: fmt::Arguments<'_>) {
        // Where a line of another crate's was logged: the target says it.
        if self.result.is_err() || name.starts_with("log.") {
            return;
        }
        let space = if self.is_empty { "" } else { " " };
        self.is_empty = false;
        self.result = match name {
            "message" => write!(self.writer, "{space}{value}"),
            name => write!(self.writer, "{space}{}={value}", name.trim_start_matches("r#")),
        };
    }
}

impl Visit for Console<'_, '_> {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        match field.name() {
            "message" => self.write("message", format_args!("{value}")),
            name => self.write(name, format_args!("{value:?}")),
        }
    }

    fn record_error(&mut self, field: &tracing::field::Field, error: &(dyn Error + 'static)) {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            chain.push_str(&format!(": {error}"));
            source = error.source();
        }
        self.write(field.name(), format_args!("{chain}"));
    }

    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        self.write(field.name(), format_args!("{value:?}"));
    }
}
