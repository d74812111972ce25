//! The chart: bars where less is better, and dots for everybody's share.

use std::path::Path;

use plotters::{
    backend::SVGBackend,
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    element::{Circle, PathElement, Rectangle, Text},
    style::{
        Color, IntoFont, RGBColor, ShapeStyle, TextStyle, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    Result,
    contender::OURS,
    report::{short, time},
};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const INK: RGBColor = RGBColor(40, 44, 52);
const FAINT: RGBColor = RGBColor(214, 218, 224);

/// The width of a panel, where its names end and its values begin, and where these end.
const WIDTH: i32 = 560;
const NAMES: i32 = 190;
const VALUES: i32 = 470;
const LINE: i32 = 24;
const HEAD: i32 = 44;

/// A part of the chart.
#[derive(Debug)]
pub struct Panel {
    title: String,
    lines: Vec<(String, Vec<f64>)>,
    dots: bool,
}

impl Panel {
    /// A bar for each, in nanoseconds: the floor, ourselves, the peers.
    pub fn bars(title: &str, bars: Vec<(String, f64)>) -> Self {
        let mut lines: Vec<_> = bars.into_iter().map(|(name, value)| (name, vec![value])).collect();
        lines.sort_by_key(|(name, _)| Side::of(name));
        Self { title: title.into(), lines, dots: false }
    }

    /// A row of dots for each, around 1.
    pub fn dots(title: &str, lines: Vec<(String, Vec<f64>)>) -> Self {
        Self { title: title.into(), lines, dots: true }
    }

    fn height(&self) -> i32 {
        HEAD + LINE * i32::try_from(self.lines.len()).unwrap_or_default() + LINE
    }

    #[expect(clippy::cast_possible_truncation, reason = "between the names and the end of a panel")]
    /// Where a value stands. What spans more than a decade and a half is shown by its logarithm.
    fn scale(&self) -> impl Fn(f64) -> i32 {
        let values = || self.lines.iter().flat_map(|(_, values)| values.iter().copied());
        let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        let logarithmic = self.is_logarithmic();
        move |value| {
            let part = if logarithmic {
                let bottom = least.log10().floor() - 0.1;
                (value.max(least).log10() - bottom) / (most.log10() - bottom)
            } else {
                value / most.max(1e-9)
            };
            NAMES + (f64::from(VALUES - NAMES) * part.clamp(0.0, 1.0)).round() as i32
        }
    }

    fn is_logarithmic(&self) -> bool {
        let values = || self.lines.iter().flat_map(|(_, values)| values.iter().copied());
        let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        !self.dots && most > 30.0 * least
    }

    fn draw(&self, area: &Area<'_>) -> Result {
        let scale = self.scale();
        let title = if self.is_logarithmic() {
            format!("{} – logarithmic", self.title)
        } else {
            self.title.clone()
        };
        area.draw(&Text::new(title, (16, 14), text(15, HPos::Left)))?;
        let bottom = self.height() - LINE / 2;
        if self.dots {
            let one = scale(1.0);
            area.draw(&PathElement::new(vec![(one, HEAD - 6), (one, bottom)], FAINT.stroke_width(1)))?;
            area.draw(&Text::new("1", (one, bottom - 4), text(11, HPos::Center)))?;
        }
        for (number, (name, values)) in self.lines.iter().enumerate() {
            let top = HEAD + LINE * i32::try_from(number)?;
            let middle = top + LINE / 2 - 2;
            let color = Side::of(name).color();
            area.draw(&Text::new(name.clone(), (NAMES - 10, middle), text(13, HPos::Right)))?;
            if self.dots {
                for value in values {
                    area.draw(&Circle::new((scale(*value), middle), 4, color.mix(0.55).filled()))?;
                }
                let [least, most] = [f64::min, f64::max].map(|pick| values.iter().copied().fold(1.0, pick));
                let range = format!("{} to {}", short(least), short(most));
                area.draw(&Text::new(range, (VALUES + 10, middle), text(11, HPos::Left)))?;
            } else if let [value] = values[..] {
                let end = scale(value);
                let style: ShapeStyle = color.filled();
                area.draw(&Rectangle::new([(NAMES, top + 2), (end, top + LINE - 6)], style))?;
                area.draw(&Text::new(time(value), (end + 6, middle), text(12, HPos::Left)))?;
            }
        }
        Ok(())
    }
}

/// All panels, two beside each other.
pub fn draw(path: &Path, panels: &[Panel]) -> Result {
    let heights: Vec<_> =
        panels.chunks(2).map(|pair| pair.iter().map(Panel::height).max().unwrap_or(0)).collect();
    let height = heights.iter().sum::<i32>().max(1);
    let size = (u32::try_from(2 * WIDTH)?, u32::try_from(height)?);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    let mut top = 0;
    for (pair, height) in panels.chunks(2).zip(heights) {
        for (number, panel) in pair.iter().enumerate() {
            let left = WIDTH * i32::try_from(number)?;
            panel.draw(&root.clone().shrink((left, top), (u32::try_from(WIDTH)?, u32::try_from(height)?)))?;
        }
        top += height;
    }
    root.present()?;
    Ok(())
}

/// Whose bar it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Floor,
    Ours,
    Peer,
}

impl Side {
    fn of(name: &str) -> Self {
        match name.split(',').next() {
            Some(first) if first == OURS => Self::Ours,
            Some(first) if first.starts_with("raw") => Self::Floor,
            _ => Self::Peer,
        }
    }

    fn color(self) -> RGBColor {
        match self {
            Self::Floor => RGBColor(205, 210, 218),
            Self::Ours => RGBColor(214, 92, 40),
            Self::Peer => RGBColor(150, 160, 175),
        }
    }
}

fn text(size: i32, side: HPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK).pos(Pos::new(side, VPos::Center))
}
