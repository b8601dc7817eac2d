#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

use std::ops::Range;

use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal};

const SEEDS: u64 = 400;

/// People whose scores are spread in some way, and a reviewer who sees them in some way.
#[derive(Clone, Copy)]
struct World {
    human: fn(&mut Noise) -> f64,
    estimate: fn(f64, &mut Noise) -> f64,
}

struct Noise(Xoshiro256PlusPlus);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0.random_range(0.0..1.0)
    }

    fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        mean + deviation * Normal::standard().inverse_cdf(self.0.random_range(1e-12..1.0))
    }
}

fn flatters(human: f64, noise: &mut Noise) -> f64 {
    0.6 * human + 3.0 + noise.normal(0.0, 0.5)
}

fn is_right(human: f64, noise: &mut Noise) -> f64 {
    noise.normal(human, 0.5)
}

fn spread(noise: &mut Noise) -> f64 {
    10.0 * noise.uniform()
}

fn usual(noise: &mut Noise) -> f64 {
    noise.normal(7.0, 1.5).clamp(0.0, 10.0)
}

impl World {
    fn pairs(self, seed: u64, n: usize) -> Vec<Pair> {
        let mut noise = Noise(Xoshiro256PlusPlus::seed_from_u64(seed));
        let pair = |_| {
            let human = (self.human)(&mut noise);
            Pair { content_type: Format::Blog, estimate: (self.estimate)(human, &mut noise), human }
        };
        (0..n).map(pair).collect()
    }

    /// Mean absolute errors over the texts of a span and all seeds: of the estimates, and of what was shown.
    fn errors(self, spans: &[Range<usize>]) -> Vec<[f64; 2]> {
        let last = spans.iter().map(|span| span.end).max().unwrap_or_default();
        let mut sums = vec![[0.0; 2]; spans.len()];
        for seed in 0..SEEDS {
            let path = path(&self.pairs(seed, last));
            for (sums, span) in sums.iter_mut().zip(spans) {
                *sums = [0, 1].map(|of| sums[of] + path[span.end][of] - path[span.start][of]);
            }
        }
        let mean = |(sums, span): ([f64; 2], &Range<usize>)| sums.map(|sum| sum / (SEEDS * span.len() as u64) as f64);
        sums.into_iter().zip(spans).map(mean).collect()
    }
}

/// Sums of absolute errors after each text: of the estimates, and of what was shown.
fn path(pairs: &[Pair]) -> Vec<[f64; 2]> {
    let mut history = History::default();
    let see = |pair: Pair| {
        history.see(pair.estimate, pair.human);
        [history.raw, history.shown]
    };
    std::iter::once([0.0; 2]).chain(finite(pairs).map(see)).collect()
}

const FLATTERED: World = World { human: spread, estimate: flatters };
const USUALLY_FLATTERED: World = World { human: usual, estimate: flatters };
const RIGHT: World = World { human: spread, estimate: is_right };
const USUALLY_RIGHT: World = World { human: usual, estimate: is_right };

/// These are the figures of the module's documentation.
#[test]
fn what_is_shown_errs_less_than_the_estimates_and_harms_none_that_are_right() {
    let spans = [0..5, 0..40, 20..40, 40..100];
    let errors = |name: &str, world: World| {
        let errors = world.errors(&spans);
        for (span, [raw, shown]) in spans.iter().zip(&errors) {
            println!("{name}: texts {span:?}: raw {raw:.2} shown {shown:.2}, {:.1}%", 100.0 * shown / raw);
        }
        errors
    };
    let flattered = errors("flattered, 0 to 10", FLATTERED);
    assert!(flattered[1][1] <= 0.6 * flattered[1][0], "{flattered:?}");
    let about_7 = errors("flattered, about 7", USUALLY_FLATTERED);
    assert!(about_7[1..].iter().all(|[raw, shown]| shown < raw), "{about_7:?}");
    let right = [errors("right, 0 to 10", RIGHT), errors("right, about 7", USUALLY_RIGHT)].concat();
    assert!(right.iter().all(|[raw, shown]| *shown <= raw + 0.05), "{right:?}");
}

#[test]
fn no_stretch_of_texts_harms_estimates_that_are_right() {
    let spans = [0..3, 3..8, 8..10, 10..14, 14..20, 20..30, 30..34, 34..40];
    for [raw, shown] in [RIGHT.errors(&spans), USUALLY_RIGHT.errors(&spans)].concat() {
        assert!(shown <= raw + 0.05, "{shown} {raw}");
    }
}

/// Not on average alone: in each of the seeds.
#[test]
fn few_texts_cost_at_most_the_stake() {
    for world in [FLATTERED, USUALLY_FLATTERED, RIGHT, USUALLY_RIGHT] {
        let paths = (0..SEEDS).map(|seed| path(&world.pairs(seed, 5)));
        let over = paths.flat_map(|path| (1..=5).map(move |n| (path[n][1] - path[n][0]) / n as f64));
        let worst = over.fold(f64::MIN, f64::max);
        println!("the worst of {SEEDS} seeds within 5 texts: raw + {worst:.3}");
        assert!(worst <= STAKE + 1e-9);
    }
}

fn pair(content_type: Format, estimate: f64, human: f64) -> Pair {
    Pair { content_type, estimate, human }
}

/// As many texts, each a point better than we say.
fn modest(content_type: Format, n: usize) -> Vec<Pair> {
    (0..n).map(|i| pair(content_type, 3.0 + (i % 5) as f64, 4.0 + (i % 5) as f64)).collect()
}

#[test]
fn methods_follow_the_number_of_pairs() {
    let method = |n| Calibrator::fit(&modest(Format::Blog, n), Format::Blog).method();
    assert_eq!([0, 7, 8, 29, 30].map(method), ["offset", "offset", "line", "line", "isotonic"]);
}

#[test]
fn few_pairs_are_drawn_towards_the_other_content_types() {
    let mut pairs = modest(Format::Email, 15);
    pairs.extend([pair(Format::Blog, 5.0, 9.0); 5]);
    // Other types: 15/20 · 1. This one: 5/10 · 4, and half of the others'.
    let right = 0.5 * 4.0 + 0.5 * 0.75;
    assert_eq!(Calibrator::fit(&pairs, Format::Blog).method, Method::Offset { points: right });
    assert_eq!(Calibrator::fit(&pairs[..15], Format::Blog).method, Method::Offset { points: 0.75 });
}

#[test]
fn a_new_content_type_starts_with_what_the_others_have_shown() {
    let pairs = modest(Format::Email, 40);
    let calibrator = Calibrator::fit(&pairs, Format::Blog);
    assert!(calibrator.is_adopted() && calibrator.apply(5.0) > 5.5, "{calibrator:?}");
    assert_eq!((calibrator.pairs, calibrator.raw_error, calibrator.calibrated_error), (0, None, None));
    let alone = Calibrator::fit(&[], Format::Blog);
    assert!(!alone.is_adopted() && alone.apply(5.0) == 5.0 && alone.name().is_none());
}

#[test]
fn what_was_won_can_be_staked() {
    let pairs = [pair(Format::Blog, 4.0, 9.0); 6];
    // 6/11 of 5 points, which 0.1 a text alone would not allow.
    assert!(Calibrator::fit(&pairs, Format::Blog).apply(4.0) > 6.0);
}

#[test]
fn lines_are_neither_flat_nor_steep() {
    let along = |slope: f64| {
        let pairs: Vec<_> =
            (0..10).map(|i| (f64::from(i) / 5.0 + 4.0, 5.0 + slope * (f64::from(i) / 5.0 - 0.9))).collect();
        let Method::Line { slope, intercept } = Method::line(&pairs) else { return [0.0; 2] };
        [slope, (slope * 4.9 + intercept - 5.0).abs().round()]
    };
    assert_eq!([along(0.8), along(-1.0), along(4.0)], [[0.8, 0.0], [0.3, 0.0], [1.5, 0.0]]);
    let same = Method::line(&[(4.0, 6.0); 9]);
    assert_eq!(same, Method::Line { slope: 1.0, intercept: 2.0 });
}

#[test]
fn only_the_last_pairs_count() {
    let mut pairs: Vec<_> =
        (0..WINDOW).flat_map(|_| [pair(Format::Blog, 9.0, 1.0), pair(Format::Ad, 9.0, 1.0)]).collect();
    let recent: Vec<_> = FLATTERED.pairs(1, WINDOW).into_iter().chain(modest(Format::Email, WINDOW)).collect();
    pairs.extend(&recent);
    assert_eq!(Calibrator::fit(&pairs, Format::Blog), Calibrator::fit(&recent, Format::Blog));
}

#[test]
fn a_calibrator_is_named_after_what_it_is_stored_as() {
    let calibrator = Calibrator::fit(&FLATTERED.pairs(1, 60), Format::Blog);
    let name = calibrator.name().unwrap();
    let (method, hash) = name.split_once('/').unwrap();
    assert!(method == "isotonic" && hash.len() == 8 && hash.chars().all(|c| c.is_ascii_hexdigit()), "{name}");
    assert_ne!(Calibrator::fit(&FLATTERED.pairs(2, 60), Format::Blog).name(), Some(name));
}

/// What is shown is told of the calibrators as they were.
#[test]
fn errors_are_those_of_what_was_shown() {
    let pairs = FLATTERED.pairs(3, 35);
    let shown =
        (0..35).map(|n| (Calibrator::fit(&pairs[..n], Format::Blog).apply(pairs[n].estimate) - pairs[n].human).abs());
    let right = shown.sum::<f64>() / 35.0;
    let found = Calibrator::fit(&pairs, Format::Blog);
    assert!((found.calibrated_error.unwrap() - right).abs() < 1e-6, "{found:?} {right}");
    assert!((found.raw_error.unwrap() - mae(&pairs).unwrap()).abs() < 1e-6);
}

#[test]
fn correlations_match_those_made_by_hand() {
    let of = |xs: &[f64], ys: &[f64]| {
        correlation(&xs.iter().zip(ys).map(|(x, y)| pair(Format::Ad, *x, *y)).collect::<Vec<_>>())
    };
    let near = |found: Option<Correlation>, pearson: f64, spearman: f64| {
        let found = found.unwrap();
        assert!((found.pearson - pearson).abs() < 1e-6 && (found.spearman - spearman).abs() < 1e-6, "{found:?}");
    };
    near(of(&[1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 1.0, 4.0, 3.0, 5.0]), 0.8, 0.8);
    // 8 / √(2 · 38.75). Ties share their mean rank: 4.5 / √(4.5 · 5).
    near(of(&[1.0, 2.0, 2.0, 3.0], &[1.0, 3.0, 2.0, 9.0]), 0.908_739, 0.948_683);
    assert_eq!(of(&[1.0, 2.0], &[1.0, 2.0]), None);
    assert_eq!(of(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
    assert_eq!(of(&[1.0, f64::NAN, 3.0], &[1.0, 2.0, 3.0]), None);
    assert_eq!((bias(&modest(Format::Ad, 4)), mae(&modest(Format::Ad, 4)), bias(&[])), (Some(-1.0), Some(1.0), None));
}

/// Scores as they should be, and what should never be stored.
fn scores() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => 0.0..10.0_f64,
        2 => prop::sample::select(vec![0.0, 10.0, 5.0]),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -3.0, 1e300, -0.0, f64::MIN_POSITIVE]),
    ]
}

fn some_pairs(most: usize) -> impl Strategy<Value = Vec<Pair>> {
    let kinds = prop::sample::select(vec![Format::Blog, Format::Blog, Format::Email, Format::Ad]);
    let pair =
        (kinds, scores(), scores()).prop_map(|(content_type, estimate, human)| pair(content_type, estimate, human));
    prop::collection::vec(pair, 0..most)
}

proptest! {
    #[test]
    fn scores_stay_scores_and_in_order(pairs in some_pairs(80), at in scores(), than in scores()) {
        let calibrator = Calibrator::fit(&pairs, Format::Blog);
        let (low, high) = if at <= than { (at, than) } else { (than, at) };
        let shown = [low, high].map(|at| calibrator.apply(at));
        prop_assert!(shown.iter().all(|score| (0.0..=10.0).contains(score)), "{:?}", shown);
        prop_assert!(low.is_nan() || high.is_nan() || shown[0] <= shown[1] + 1e-9, "{:?}", shown);
        prop_assert!(calibrator.is_adopted() || at.is_nan() || shown == [low, high].map(bounded));
        let errors = [calibrator.raw_error, calibrator.calibrated_error];
        prop_assert!(errors.iter().flatten().all(|error| (0.0..=10.0).contains(error)));
    }

    #[test]
    fn what_is_stored_reads_back_the_same(pairs in some_pairs(60)) {
        let calibrator = Calibrator::fit(&pairs, Format::Blog);
        let stored = serde_json::to_string(&calibrator).unwrap();
        let read: Calibrator = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), stored);
        prop_assert_eq!(read.name(), calibrator.name());
        prop_assert_eq!(read, calibrator);
    }

    #[test]
    fn whatever_people_do_few_texts_cost_at_most_the_stake(pairs in some_pairs(8)) {
        let pairs: Vec<_> = pairs.into_iter().map(|pair| Pair { content_type: Format::Blog, ..pair }).collect();
        let calibrator = Calibrator::fit(&pairs, Format::Blog);
        if let (Some(raw), Some(shown)) = (calibrator.raw_error, calibrator.calibrated_error) {
            prop_assert!(shown <= raw + STAKE + 2e-6, "{} {}", shown, raw);
        }
    }

    #[test]
    fn correlations_are_correlations(pairs in some_pairs(30)) {
        if let Some(Correlation { pearson, spearman }) = correlation(&pairs) {
            prop_assert!((-1.0..=1.0).contains(&pearson) && (-1.0..=1.0).contains(&spearman));
        }
    }
}
