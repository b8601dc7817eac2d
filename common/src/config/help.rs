//! Help on the variables: the end of `--help`, and a check of the environment for misspelt names.

use confique::Config as _;
use confique::meta::{Expr, FieldKind, LeafKind, Meta};

use super::Config;

impl Config {
    /// The names of all variables.
    pub fn variables() -> Vec<&'static str> {
        let mut names = Vec::new();
        variables(&Self::META, &mut |variable| names.push(variable.name));
        names
    }

    /// Names in the environment with Copydesk's prefix that are not variables of it: likely
    /// misspelt.
    pub fn unknown_variables() -> Vec<String> {
        let known = Self::variables();
        std::env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .filter(|name| name.starts_with("COPYDESK_") && !known.contains(&name.as_str()))
            .collect()
    }

    /// Every variable with its default and meaning, one paragraph each: the end of `--help`.
    pub fn describe_variables() -> String {
        let mut text = String::from("Environment:\n");
        variables(&Self::META, &mut |variable| {
            let default = variable.default.map(|value| format!(" [default: {value}]")).unwrap_or_default();
            text.push_str(&format!("  {}{default}\n          {}\n", variable.name, variable.meaning));
        });
        text
    }
}

/// A variable, as `--help` shows it.
struct Variable {
    name: &'static str,
    default: Option<String>,
    meaning: String,
}

fn variables(meta: &'static Meta, visit: &mut impl FnMut(Variable)) {
    for field in meta.fields {
        match field.kind {
            FieldKind::Nested { meta } => variables(meta, visit),
            FieldKind::Leaf { env: Some(name), kind } => {
                let default = match kind {
                    LeafKind::Required { default: Some(Expr::Str(text)) } => Some(text.to_owned()),
                    LeafKind::Required { default: Some(value) } => serde_json::to_string(&value).ok(),
                    _ => None,
                };
                let meaning = field.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
                visit(Variable { name, default, meaning });
            }
            FieldKind::Leaf { env: None, .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_is_described() {
        let text = Config::describe_variables();
        for name in ["POSTGRES_URI", "REDIS_URL", "GROQ_API_KEY", "COPYDESK_LEASE_MS [default: 75000]"] {
            assert!(text.contains(name), "{name} is missing in\n{text}");
        }
    }
}
