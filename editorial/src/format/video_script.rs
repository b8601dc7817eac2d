//! Video scripts: scenes with times, each with its visuals and narration.

use copydesk_domain::format::Format;

use super::fallback::{Material, Telling};
use super::spec::{Checks, Rules, Spec};
use crate::text::page::Page;

/// How long a composed scene lasts, in seconds.
const SCENE_SECONDS: usize = 20;

pub(super) const SPEC: Spec = Spec {
    format: Format::VideoScript,
    shape: include_str!("../../shapes/video_script.md.j2"),
    sections: &["Opening", "Explanation", "Close"],
    is_prose: false,
    limits_its_length: false,
    check,
    compose,
};

fn check(page: &Page<'_>, _: &Rules<'_>, checks: &mut Checks) {
    checks.require("title", page.title().is_some(), "Begin with one title line: `# Title`.");
    let scenes = page.of_level(2);
    checks.require("scenes", scenes.len() >= 3, "Write at least three scenes.");
    let times: Vec<_> = (1..).zip(&scenes).map(|(n, scene)| times(n, scene.heading)).collect();
    let timed = times.iter().all(|times| times.is_some_and(|(from, to)| from < to));
    checks.require(
        "scene_times",
        timed,
        "Head each scene `## Scene n (m:ss–m:ss)`, numbered from 1, its times in order.",
    );
    let ordered = times.iter().flatten().is_sorted_by(|before, after| before.1 <= after.0);
    checks.require("scene_order", ordered, "Let each scene begin where the one before has ended.");
    let told = scenes.iter().all(|scene| ["VISUAL:", "NARRATION:"].iter().all(|label| scene.labelled(label).is_some()));
    checks.require("scene_lines", told, "Give each scene a line `VISUAL: ` and a line `NARRATION: `.");
}

/// The times of `Scene n (m:ss–m:ss)`, in seconds.
fn times(n: usize, heading: &str) -> Option<(u32, u32)> {
    let rest = heading.strip_prefix(&format!("Scene {n}"))?.trim_start_matches([':', ' ']);
    let (from, to) = rest.strip_prefix('(')?.split_once(')')?.0.split_once(['–', '-', '—'])?;
    Some((seconds(from.trim())?, seconds(to.trim())?))
}

fn seconds(time: &str) -> Option<u32> {
    let (minutes, seconds) = time.split_once(':')?;
    let (minutes, seconds): (u32, u32) = (minutes.parse().ok()?, seconds.parse().ok()?);
    (seconds < 60).then(|| minutes.saturating_mul(60).saturating_add(seconds))
}

fn compose(material: &Material<'_>) -> String {
    let mut telling = Telling::of(material);
    let scenes = material.facts.len().clamp(3, 6);
    let time = |scene: usize| format!("{}:{:02}", scene * SCENE_SECONDS / 60, scene * SCENE_SECONDS % 60);
    let mut text = format!("# {}\n", material.title);
    for scene in 0..scenes {
        let (from, to) = (time(scene), time(scene + 1));
        let visual = if scene == 0 { "Title card." } else { "The key words of the narration, on screen." };
        let narration = telling.sentence();
        text.push_str(&format!("\n## Scene {} ({from}–{to})\n\nVISUAL: {visual}\nNARRATION: {narration}\n", scene + 1));
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::format::tests::lacks;
    use copydesk_domain::format::Format::VideoScript;

    fn scene(heading: &str) -> String {
        format!("## {heading}\n\nVISUAL: v\nNARRATION: n\n\n")
    }

    #[test]
    fn the_shape_is_held() {
        let (one, two) = (scene("Scene 1 (0:00–0:20)"), scene("Scene 2 (0:20-1:00)"));
        lacks(VideoScript, &format!("# T\n\n{one}{two}{}", scene("Scene 3 (1:00–1:10)")), &[]);
        lacks(VideoScript, &format!("# T\n\n{one}{two}"), &["three scenes"]);
        lacks(VideoScript, &format!("{one}{two}{}", scene("Scene 3 (1:00–1:10)")), &["title"]);
        lacks(VideoScript, &format!("# T\n\n{one}{two}{}", scene("Scene 3 (0:50–1:10)")), &["begin where"]);
        for heading in ["Scene 3", "Scene 4 (1:00–1:10)", "Scene 3 (1:10–1:00)", "Scene 3 (1:00–1:70)", "The end"]
        {
            lacks(VideoScript, &format!("# T\n\n{one}{two}{}", scene(heading)), &["Head each scene"]);
        }
        lacks(VideoScript, &format!("# T\n\n{one}{two}## Scene 3 (1:00–1:10)\n\nVISUAL: v"), &["NARRATION"]);
    }
}
