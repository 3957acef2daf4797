//! The service catalogue: everything that can be ordered, by family, with a starting price.

use crate::{error::ApiError, i18n, pages::page, routes, t, ui::*};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, hooks::use_query_map, path};
use lingbao_model::{
    catalogue::{Family, Fulfiller},
    view::catalogue::OfferCard,
};

/// Where the page is.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![page(path!("/catalogue"), Catalogue)]
}

/// Everything that can be ordered.
///
/// # Errors
/// `Unauthenticated`.
#[server(name = GetOffers, prefix = "/fn", endpoint = "catalogue/offers", output = crate::json::Json)]
pub async fn offers() -> Result<Vec<OfferCard>, ApiError> {
    Ok(lingbao_core::service::catalogue::cards(&crate::ssr::cx()?).await?)
}

/// The page: a filter by family and words, then the items family by family.
#[component]
fn Catalogue() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        query.with(|query| {
            (
                query.get("q").unwrap_or_default(),
                query.get("family").and_then(|f| f.parse::<Family>().ok()),
                query.get("cart").unwrap_or_default(),
            )
        })
    });
    let list = Resource::new(|| (), |()| offers());
    // Whoever came from a cart goes on with that one, and not with the draft touched last.
    let cart = move || match asked.with(|asked| asked.2.clone()) {
        cart if cart.is_empty() => routes::CART.to_owned(),
        cart => format!("{}/{}", routes::CART, routes::segment(&cart)),
    };
    let acts = view! { <a class="btn" href=cart><Icon name="case"/>{t!("nav.cart")}</a> };
    view! {
        <PageHead title=t!("nav.catalogue") fact=t!("catalogue.fact") acts=acts.into_any()/>
        {list_of(asked, list, |cards, (q, family, cart)| view! { <Found cards q family cart/> }.into_any())}
    }
}

#[component]
fn Found(cards: Vec<OfferCard>, q: String, family: Option<Family>, cart: String) -> impl IntoView {
    let link = |family: Option<Family>| {
        let family = family.map_or("", Family::as_str);
        routes::with_query(
            routes::CATALOGUE,
            &[("family", family), ("q", &q), ("cart", &cart)],
        )
    };
    let count = |family: Family| cards.iter().filter(|c| c.family == family).count();
    let mut links = vec![SegLink {
        href: link(None),
        text: t!("catalogue.all").to_owned(),
        count: Some(cards.len().to_string()),
        current: family.is_none(),
    }];
    for one in Family::ALL.iter().filter(|f| count(**f) > 0) {
        links.push(SegLink {
            href: link(Some(*one)),
            text: i18n::t_key(&format!("family.{one}")).into_owned(),
            count: Some(count(*one).to_string()),
            current: family == Some(*one),
        });
    }
    let words = q.to_lowercase();
    let matches = |card: &OfferCard| {
        let texts = [
            &card.name.zh,
            &card.name.en,
            &card.summary.zh,
            &card.summary.en,
            &card.code,
        ];
        words.is_empty() || texts.iter().any(|t| t.to_lowercase().contains(&words))
    };
    let found: Vec<OfferCard> = cards
        .into_iter()
        .filter(|c| family.is_none_or(|f| c.family == f) && matches(c))
        .collect();
    let nothing = found.is_empty();
    let all = routes::catalogue(&cart);
    let kept =
        (!cart.is_empty()).then(|| view! { <input type="hidden" name="cart" value=cart.clone()/> });
    let clear = view! { <LinkButton href=all.clone()>{t!("ui.clear")}</LinkButton> }.into_any();
    view! {
        <SegLinks links wide=true/>
        <FilterBar action=all active=!q.is_empty()>
            {kept}
            {family.map(|f| view! { <input type="hidden" name="family" value=f.as_str()/> })}
            <Find label=t!("catalogue.search") value=q/>
        </FilterBar>
        {nothing
            .then(|| {
                view! {
                    <section class="panel">
                        <Empty icon="search" title=t!("catalogue.none") note=t!("catalogue.none_note") act=clear/>
                    </section>
                }
            })}
        {Family::ALL
            .iter()
            .map(|family| {
                let cart = cart.clone();
                let items: Vec<OfferCard> = found.iter().filter(|c| c.family == *family).cloned().collect();
                (!items.is_empty())
                    .then(|| {
                        view! {
                            <Section title=i18n::t_key(&format!("family.{family}")).into_owned()>
                                <ul class="panel rows">
                                    {items.into_iter().map(|card| row(card, &cart)).collect_view()}
                                </ul>
                            </Section>
                        }
                    })
            })
            .collect_view()}
    }
}

fn row(card: OfferCard, cart: &str) -> impl IntoView + use<> {
    let icon = match card.fulfiller {
        Fulfiller::Server => "host",
        Fulfiller::Volume => "disk",
        Fulfiller::Address => "net",
        Fulfiller::Backup => "box",
        Fulfiller::People => "user",
    };
    let monthly = card.month.fen() > 0;
    let price = if monthly { card.month } else { card.once };
    let unit = if monthly {
        t!("catalogue.month_from")
    } else {
        t!("catalogue.once_from")
    };
    let deliver = if card.fulfiller == Fulfiller::People {
        t!("catalogue.by_people", hours = card.deliver_hours)
    } else {
        t!("catalogue.by_itself").to_owned()
    };
    let href = routes::with_query(&routes::configure(&card.code), &[("cart", cart)]);
    view! {
        <li class="r-svc">
            <span class="ico"><Icon name=icon/></span>
            <div>
                <a class="lead" href=href>{i18n::label(&card.name)}</a>
                <div class="sub">{i18n::label(&card.summary)}</div>
            </div>
            <div class="num only-wide">{price.yuan()}<span class="unit">{unit}</span></div>
            <div class="sub only-wide">{deliver}</div>
            <div class="num">
                <span class="only-phone nw">{price.yuan()}<span class="unit">{unit}</span></span>
                <span class="btn btn-sm only-wide" aria-hidden="true">{t!("catalogue.choose")}</span>
            </div>
        </li>
    }
}
