//! Expansions, as formatted source.

use proc_macro2::TokenStream;
use quote::quote;

use crate::{attribute, block, options};

fn formatted(tokens: TokenStream) -> String {
    let file = syn::parse2(tokens).expect("an expansion is source code");
    prettyplease::unparse(&file)
}

/// The same on one line, for what does not depend on where lines break.
fn squeezed(expanded: &str) -> String {
    expanded.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lock(args: TokenStream, item: &TokenStream) -> String {
    formatted(attribute(args, item, options::lock))
}

fn lock_model(args: TokenStream, item: &TokenStream) -> String {
    formatted(attribute(args, item, |args| options::lock_model(None, args)))
}

fn lock_block(input: TokenStream) -> String {
    let block = block(input, options::lock);
    formatted(quote!(fn f() { #block }))
}

#[test]
fn a_sync_function_keeps_its_body_in_place() {
    let expanded = lock(
        quote!("user:{id}", blocking = false, ttl = "1.5s", guard = lease),
        &quote! {
            /// Documented.
            pub fn f(id: u64) -> Result<u8, E> { #![allow(x)] if id == 0 { return Ok(1); } Ok(2) }
        },
    );
    assert_eq!(
        expanded,
        r#"/// Documented.
pub fn f(id: u64) -> Result<u8, E> {
    #![allow(x)]
    {
        {
            #[allow(unused_imports)]
            use ::lock::__private::RunsAtOnce as _;
            ::lock::__private::Outcome::<Result<u8, E>>::new().runs_at_once();
            ::lock::__private::Outcome::<Result<u8, E>>::new().option_runs_at_once();
            ::lock::__private::Outcome::<Result<u8, E>>::new().result_runs_at_once();
        }
        let guard = match ::lock::__private::acquire(
            &::lock::__private::lock(
                    &::lock::__private::Global,
                    ::std::format!(
                        "user:{}", ::lock::__private::Escaped(::core::format_args!("{}",
                        id), ':')
                    ),
                )
                .blocking(false)
                .ttl(::core::time::Duration::new(1u64, 500000000u32))
                .release_on_drop(true),
        ) {
            ::core::result::Result::Ok(guard) => guard,
            ::core::result::Result::Err(error) => {
                return <Result<u8, E> as ::lock::__private::Carries>::refused(error);
            }
        };
        let _scope = guard.enter_scope();
        let lease: &::lock::__private::Guard = &guard;
        {
            #[allow(unused_variables)]
            #[allow(
                unknown_lints,
                clippy::redundant_locals,
                clippy::shadow_same,
                clippy::let_unit_value,
                clippy::used_underscore_binding,
                clippy::no_effect_underscore_binding
            )]
            let id = id;
            if id == 0 {
                return Ok(1);
            }
            Ok(2)
        }
    }
}
"#
    );
}

#[test]
fn an_async_function_races_its_body_with_the_loss() {
    let expanded = lock(
        quote!("key"),
        &quote!(
            async fn f(n: u8) -> Result<u8, E> {
                work(n).await
            }
        ),
    );
    assert_eq!(
        expanded,
        r#"async fn f(n: u8) -> Result<u8, E> {
    {
        let lock = ::lock::__private::lock(&::lock::__private::Global, "key")
            .release_on_drop(true);
        {
            #[allow(unused_imports)]
            use ::lock::__private::RunsAtOnce as _;
            ::lock::__private::Outcome::<Result<u8, E>>::new().runs_at_once();
            ::lock::__private::Outcome::<Result<u8, E>>::new().option_runs_at_once();
            ::lock::__private::Outcome::<Result<u8, E>>::new().result_runs_at_once();
        }
        let guard = match ::lock::__private::acquire_async(lock).await {
            ::core::result::Result::Ok(guard) => guard,
            ::core::result::Result::Err(error) => {
                #[allow(unused_imports)]
                use ::lock::__private::Refuse as _;
                return ::lock::__private::Outcome::<Result<u8, E>>::new().refused(error);
            }
        };
        let on_lost = {
            #[allow(unused_imports)]
            use ::lock::__private::NoLoss as _;
            ::lock::__private::Outcome::<Result<u8, E>>::new().on_lost()
        };
        {
            let body = ::core::pin::pin!(
                guard.scoped(async move { #[allow(unknown_lints, unreachable_code,
                clippy::diverging_sub_expression, clippy::empty_loop,
                clippy::let_unit_value, clippy::needless_return,
                clippy::let_with_type_underscore)] if false { let returned : Result < u8,
                E > = loop {}; return returned; } #[allow(unknown_lints,
                clippy::redundant_locals, clippy::shadow_same, clippy::let_unit_value,
                clippy::used_underscore_binding, clippy::no_effect_underscore_binding)]
                let n = n; work(n). await })
            );
            ::lock::__private::until_lost(&guard, body, on_lost).await
        }
    }
}
"#
    );
}

#[test]
fn a_boxed_future_is_guarded_inside() {
    let expanded = lock(
        quote!("{}", self.id),
        &quote! {
            fn f<'a>(&'a self) -> Pin<Box<dyn Future<Output = u8> + Send + 'a>> {
                let more = 1;
                Box::pin(async move { more })
            }
        },
    );
    let lock = expanded.find("let lock = ").expect("the key is built first");
    let statement = expanded.find("let more = 1;").expect("then what stands before the future");
    let boxed = expanded.find("Box::pin(async move").expect("then the future");
    let guard = expanded.find("acquire_async(lock)").expect("which takes the lock");
    assert!(lock < statement && statement < boxed && boxed < guard, "{expanded}");
}

#[test]
fn a_plain_function_tracks_its_caller_but_for_the_panics_of_its_body() {
    let plain = lock(
        quote!(),
        &quote!(
            fn f() -> u8 {
                1
            }
        ),
    );
    assert!(plain.starts_with("#[track_caller]\n"), "{plain}");
    assert!(plain.contains("run(|| -> u8 { 1 })"), "{plain}");
    assert!(plain.contains(r#"own_path::<Here>(::core::module_path!(), "f")"#), "{plain}");

    let borrowed = lock(
        quote!("key"),
        &quote!(
            fn f(v: &mut Vec<u8>) -> Option<&mut u8> {
                v.first_mut()
            }
        ),
    );
    assert!(borrowed.starts_with("#[track_caller]\n") && !borrowed.contains("run(||"), "{borrowed}");

    for item in [
        quote!(
            fn main() {}
        ),
        quote!(
            extern "C" fn f() {}
        ),
        quote!(
            fn f() -> Result<(), E> {
                Ok(())
            }
        ),
        quote!(
            async fn f() {}
        ),
    ] {
        let expanded = lock(quote!("key"), &item);
        assert!(!expanded.contains("track_caller"), "{expanded}");
    }
}

#[test]
fn a_model_is_locked_by_its_fields() {
    let item = quote!(
        fn f(&mut self) -> Result<(), E> {
            Ok(())
        }
    );
    let by_pk = squeezed(&lock_model(quote!(), &item));
    assert!(by_pk.contains("model_key( &self, ::core::option::Option::None, &[], )"), "{by_pk}");
    let named = squeezed(&lock_model(quote!("a", "b", name = "n", refresh), &item));
    assert!(named.contains(r#"&["a", "b"]"#) && named.contains("Refresh>::refresh( self, )"), "{named}");
    let reloaded = squeezed(&lock_model(quote!(refresh = self.reload(db)), &item));
    assert!(
        reloaded.contains("let reloaded: ::core::result::Result<(), _> = self.reload(db);"),
        "{reloaded}"
    );
    assert!(reloaded.contains("CarriesRefresh<_>>::refused(error)"), "{reloaded}");
    let not_asked = squeezed(&lock_model(quote!(refresh = false), &item));
    assert!(!not_asked.contains("CarriesRefresh"), "{not_asked}");
    let listed = squeezed(&lock_model(quote!(fields = ["a", "b"]), &item));
    assert!(listed.contains(r#"&["a", "b"]"#), "{listed}");
}

#[test]
fn a_block_runs_in_place() {
    let block = lock_block(quote!("key", wait = 1, { work()? }));
    assert!(squeezed(&block).contains("match { work()? } {"), "{block}");
    let angles = lock_block(quote!("key", < work()? >));
    assert!(squeezed(&angles).contains("match { work()? } {"), "{angles}");
    let future = lock_block(quote!("key", async move { work().await }));
    assert!(future.contains("async move {"), "{future}");
    assert!(future.contains("::lock::__private::block(&guard, body, true).await"), "{future}");
}

#[test]
fn another_facade_is_named_throughout() {
    let expanded = lock(
        quote!("{a}", crate = my::facade),
        &quote!(
            async fn f(a: u8) {}
        ),
    );
    assert!(expanded.contains("my::facade::__private") && !expanded.contains("::lock::"), "{expanded}");
}

#[test]
fn a_mistake_leaves_the_function_as_it_was() {
    let expanded = lock(
        quote!("key", ttl = "soon"),
        &quote!(
            fn f() -> u8 {
                1
            }
        ),
    );
    assert!(expanded.contains("compile_error!"), "{expanded}");
    assert!(expanded.ends_with("fn f() -> u8 {\n    1\n}\n"), "{expanded}");
}

#[test]
fn a_body_that_is_no_valid_source_stays_the_compilers_business() {
    let expanded = attribute(quote!("key"), &quote!(fn f() { let x = ; }), options::lock).to_string();
    assert!(expanded.contains("let x = ;") && !expanded.contains("compile_error"), "{expanded}");
}
