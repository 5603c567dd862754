//! The civil calendar: days since 1970-01-01 as year, month and day, and back.
//!
//! Proleptic Gregorian, as ISO 8601 and `java.time`: today's rules hold for all times, and there is a year 0, which Postgres
//! prints as 1 BC.
//!
//! Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms". Eras of 400 years begin on 1 March, so that a leap day
//! is the last day of its year.

/// Days of 400 years, after which the calendar repeats.
const DAYS_OF_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const TO_1970: i64 = 719_468;

/// Days since 1970-01-01 of a date.
///
/// `month` is 1 to 12. A `day` beyond the end of its month carries over into the next month. Years before 1 count downwards:
/// 0 is 1 BC, -43 is 44 BC.
///
/// ```
/// use pgcdc_format::civil::days;
/// assert_eq!(days(2024, 2, 29), 19_782);
/// assert_eq!(days(2023, 2, 29), days(2023, 3, 1));
/// assert_eq!(days(1969, 12, 31), -1);
/// assert_eq!(days(-43, 3, 15), -735_160);
/// ```
#[inline]
#[must_use]
pub const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * DAYS_OF_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - TO_1970
}

/// Year, month and day of a number of days since 1970-01-01: the opposite of [`days`].
///
/// ```
/// assert_eq!(pgcdc_format::civil::date(19_782), (2024, 2, 29));
/// assert_eq!(pgcdc_format::civil::date(-719_529), (-1, 12, 31), "the day before year 0");
/// ```
#[inline]
#[must_use]
pub const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + TO_1970;
    let era = days.div_euclid(DAYS_OF_ERA);
    let of_era = days.rem_euclid(DAYS_OF_ERA);
    let years = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = years + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}
