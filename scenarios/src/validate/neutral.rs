//! Looks for words that would give the cause away in what a trainee can read.

use crate::Variant;

/// The first trainee-visible text with a giveaway: where, and which word.
pub(super) fn giveaway(variant: &Variant) -> Option<(String, String)> {
    let mut words: Vec<String> = variant.giveaways.iter().map(|word| word.to_lowercase()).collect();
    words.extend([&variant.scenario, &variant.family, &variant.cause].map(|word| word.to_lowercase()));
    if let Some((_, name)) = variant.cause.split_once('/') {
        words.push(name.to_lowercase());
    }
    visible(variant).into_iter().find_map(|(place, text)| {
        let text = text.to_lowercase();
        words.iter().find(|word| text.contains(word.as_str())).map(|word| (place, word.clone()))
    })
}

/// Everything a trainee can read before the drill is closed and no hint is bought. The list of causes is the same in every drill.
fn visible(variant: &Variant) -> Vec<(String, &str)> {
    let mut texts = vec![
        ("title".to_owned(), variant.title.as_str()),
        ("story.md".to_owned(), &variant.story),
        ("drill".to_owned(), &variant.drill),
        ("namespace".to_owned(), &variant.namespace),
    ];
    for check in &variant.checks {
        texts.push((format!("checks, {}", check.id), &check.id));
        texts.push((format!("checks, {}: title", check.id), &check.title));
        texts.push((format!("checks, {}: message", check.id), &check.message));
    }
    for registry in &variant.registries {
        texts.push((format!("registries, {}", registry.handle), &registry.host));
        for repository in &registry.repositories {
            texts.push((format!("registries, {}", registry.handle), &repository.name));
            texts.extend(repository.images.iter().filter_map(|image| {
                Some((format!("registries, {}", registry.handle), image.tag.as_deref()?))
            }));
        }
        texts.extend(
            registry
                .accounts
                .iter()
                .map(|account| (format!("registries, {}", registry.handle), account.username.as_str())),
        );
    }
    texts
        .extend(variant.builds.iter().map(|build| (format!("builds, {}", build.id), build.content.as_str())));
    texts.extend(variant.manifests.iter().map(|(path, text)| (path.clone(), text.as_str())));
    texts
}
