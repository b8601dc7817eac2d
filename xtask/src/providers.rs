//! Which providers are real and which are simulated: configured ones are used, and the simulator
//! replaces the rest.

use crate::settings::Settings;

/// Whether each kind of provider is real or simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Providers {
    pub(crate) llm: Provider,
    pub(crate) search: Provider,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    Given,
    Simulated,
}

impl Providers {
    pub(crate) fn of(settings: &Settings) -> Self {
        let given = |names: [&str; 2]| {
            if names.into_iter().any(|name| settings.is_set(name)) { Provider::Given } else { Provider::Simulated }
        };
        Self {
            llm: given(["GROQ_API_KEY", "COPYDESK_LLM_BASE_URL"]),
            search: given(["TAVILY_API_KEY", "COPYDESK_SEARCH_BASE_URL"]),
        }
    }

    /// Whether any provider is simulated.
    pub(crate) fn any_simulated(self) -> bool {
        self.llm == Provider::Simulated || self.search == Provider::Simulated
    }

    /// The environment of the processes, with the simulator at `simulator`.
    pub(crate) fn environment(self, simulator: &str) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        if self.llm == Provider::Simulated {
            variables.push(("GROQ_API_KEY", "simulated".to_owned()));
            variables.push(("COPYDESK_LLM_BASE_URL", format!("{simulator}/openai/v1")));
            // As at Groq's own address.
            variables.push(("COPYDESK_REVIEW_MODEL", "openai/gpt-oss-20b".to_owned()));
            variables.push(("COPYDESK_LLM_REQUESTS_PER_MINUTE", "30".to_owned()));
            // It stands in for Groq: commands of the docs work as they stand.
            variables.push(("COPYDESK_LLM_NAME", "groq".to_owned()));
        }
        if self.search == Provider::Simulated {
            variables.push(("TAVILY_API_KEY", "simulated".to_owned()));
            variables.push(("COPYDESK_SEARCH_BASE_URL", simulator.to_owned()));
        }
        if self.any_simulated() {
            variables.push(("COPYDESK_SIMULATED", "true".to_owned()));
        }
        variables
    }

    /// A notice about the texts for the user; `None` if all providers are real.
    pub(crate) fn notice(self) -> Option<&'static str> {
        match (self.llm, self.search) {
            (Provider::Given, Provider::Given) => None,
            (Provider::Given, Provider::Simulated) => Some(
                "SIMULATED web search: no TAVILY_API_KEY is set, so web sources are the sample's pages. The text is your model's.",
            ),
            (Provider::Simulated, Provider::Given) => {
                Some("SIMULATED writer: no GROQ_API_KEY is set, so texts come from a simulator, not from a model.")
            }
            (Provider::Simulated, Provider::Simulated) => Some(
                "SIMULATED writer and web search: neither GROQ_API_KEY nor TAVILY_API_KEY is set, \
                 so texts and web sources come from a simulator. Set them in .env for real ones.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "http://127.0.0.1:9";

    #[test]
    fn nothing_is_told_where_all_is_real() {
        let real = Providers { llm: Provider::Given, search: Provider::Given };
        assert!(real.environment(HERE).is_empty());
        assert_eq!(real.notice(), None);
    }

    #[test]
    fn a_given_writer_keeps_its_key_where_search_is_simulated() {
        let half = Providers { llm: Provider::Given, search: Provider::Simulated };
        let told = half.environment(HERE);
        assert!(!told.iter().any(|(name, _)| name.contains("GROQ") || name.contains("LLM")), "{told:?}");
        assert!(told.contains(&("COPYDESK_SEARCH_BASE_URL", HERE.to_owned())));
        assert!(told.contains(&("COPYDESK_SIMULATED", "true".to_owned())));
    }
}
