//! What an agent of a framework such as CrewAI expects of a model: the ReAct format, with a tool's call
//! first where it has tools, and a final answer after it.

use serde_json::json;

use super::request::ChatRequest;

/// The line of an agent's instructions that names its tools in brackets.
const TOOLS: &str = "Action: the action to take, only one name of [";
const FINAL: &str = "Final Answer:";

/// The message of a model that plays along; the text as it is where nobody asked for the format.
pub(super) fn reply(request: &ChatRequest, topic: &str, text: String) -> String {
    let told = |words: &str| request.texts().find_map(|text| text.split_once(words).map(|(_, behind)| behind));
    let tool = told(TOOLS).and_then(|tools| tools.split([',', ']']).next()).map(str::trim);
    match tool {
        Some(tool) if !request.has_answer() => {
            let input = json!({ "query": topic });
            format!("Thought: I should look at what is known.\nAction: {tool}\nAction Input: {input}")
        }
        _ if told(FINAL).is_some() => format!("Thought: I now know the final answer\n{FINAL} {text}"),
        _ => text,
    }
}
