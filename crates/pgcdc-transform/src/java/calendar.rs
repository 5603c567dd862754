use pgcdc_format::civil;

use crate::Fault;

/// The milliseconds of a day.
const DAY: i64 = 86_400_000;
/// The day on which Java's calendars begin to be Gregorian: 15 October 1582.
const GREGORIAN: i64 = -141_427;

/// The days since 1970 of a moment, for Connect's `Date`.
pub(crate) fn days(millis: i64) -> Result<i64, Fault> {
    if millis.rem_euclid(DAY) != 0 {
        return Err(Fault::data(
            "Kafka Connect Date type should not have any time fields set to non-zero values.",
        ));
    }
    Ok(millis.div_euclid(DAY))
}

/// The milliseconds of a moment's day, for Connect's `Time`.
pub(crate) fn time_of_day(millis: i64) -> Result<i64, Fault> {
    if !(0..=DAY).contains(&millis) {
        return Err(Fault::data(
            "Kafka Connect Time type should not have any date fields set to non-zero values.",
        ));
    }
    Ok(millis)
}

/// The midnight (UTC) before a moment, in milliseconds since 1970.
pub(crate) const fn start_of_day(millis: i64) -> i64 {
    millis - millis.rem_euclid(DAY)
}

/// A moment in UTC, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The year; 0 is the year 1 before Christ.
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    /// 0 is Sunday.
    pub(crate) weekday: i64,
    /// 1 is the first of January.
    pub(crate) day_of_year: i64,
    pub(crate) millis_of_day: i64,
}

impl Moment {
    /// Takes milliseconds since 1970 apart in the Gregorian calendar, as `java.time` does.
    pub(crate) fn of(millis: i64) -> Self {
        let days = millis.div_euclid(DAY);
        let (year, month, day) = civil::date(days);
        Self::new(millis, (year, month, day), to_days(year, 1, 1))
    }

    /// Takes milliseconds since 1970 apart, before 15 October 1582 in the Julian calendar, as `java.util.GregorianCalendar`
    /// does.
    pub(crate) fn of_either_calendar(millis: i64) -> Self {
        let days = millis.div_euclid(DAY);
        if days >= GREGORIAN {
            return Self::of(millis);
        }
        let (year, month, day) = julian(days);
        Self::new(millis, (year, month, day), from_julian(year, 1, 1))
    }

    /// Fills in what follows from the date. `new_year` is the day number of the year's first day.
    fn new(millis: i64, (year, month, day): (i64, i64, i64), new_year: i64) -> Self {
        let days = millis.div_euclid(DAY);
        Self {
            year,
            month,
            day,
            weekday: (days + 4).rem_euclid(7),
            day_of_year: days - new_year + 1,
            millis_of_day: millis.rem_euclid(DAY),
        }
    }

    pub(crate) const fn hour(&self) -> i64 {
        self.millis_of_day / 3_600_000
    }

    pub(crate) const fn minute(&self) -> i64 {
        self.millis_of_day / 60_000 % 60
    }

    pub(crate) const fn second(&self) -> i64 {
        self.millis_of_day / 1000 % 60
    }

    pub(crate) const fn milli(&self) -> i64 {
        self.millis_of_day % 1000
    }
}

/// Days since 1970-01-01 of a date in the Gregorian calendar. Months and days beyond their range carry over.
pub(crate) fn to_days(year: i64, month: i64, day: i64) -> i64 {
    let months = month - 1;
    let (year, month) = (year + months.div_euclid(12), months.rem_euclid(12) + 1);
    civil::days(year, month, day)
}

/// As [`to_days`], but a date before 15 October 1582 is one of the Julian calendar.
pub(crate) fn to_days_of_either_calendar(year: i64, month: i64, day: i64) -> i64 {
    let gregorian = to_days(year, month, day);
    if gregorian >= GREGORIAN { gregorian } else { from_julian(year, month, day) }
}

/// Days since 1970-01-01 of a date in the Julian calendar.
fn from_julian(year: i64, month: i64, day: i64) -> i64 {
    let months = month - 1;
    let (year, month) = (year + months.div_euclid(12), months.rem_euclid(12) + 1);
    let shifted = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    shifted * 365 + shifted.div_euclid(4) + day_of_year - 719_470
}

/// The date in the Julian calendar of a number of days since 1970-01-01.
fn julian(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_470;
    let cycle = shifted.div_euclid(1461);
    let day_of_cycle = shifted.rem_euclid(1461);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1460) / 365;
    let day_of_year = day_of_cycle - 365 * year_of_cycle;
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_cycle + cycle * 4 + i64::from(month <= 2), month, day)
}

#[test]
fn the_julian_calendar_ends_where_java_ends_it() {
    // From `new SimpleDateFormat("yyyy-MM-dd")` in UTC: the last Julian and the first Gregorian day, a Julian leap day, and days
    // around the beginning of the year 1.
    for (days, date) in [
        (-141_428, (1582, 10, 4)),
        (-141_427, (1582, 10, 15)),
        (-171_596, (1500, 2, 29)),
        (-719_162, (1, 1, 3)),
        (-719_164, (1, 1, 1)),
        (-719_165, (0, 12, 31)),
    ] {
        let moment = Moment::of_either_calendar(days * DAY);
        assert_eq!((moment.year, moment.month, moment.day), date, "{days}");
        assert_eq!(to_days_of_either_calendar(date.0, date.1, date.2), days, "{date:?}");
    }
    let mut last = Moment::of_either_calendar(-800_000 * DAY);
    for days in -799_999..-141_427 {
        let moment = Moment::of_either_calendar(days * DAY);
        let follows = moment.day == last.day + 1 && moment.month == last.month || moment.day == 1;
        assert!(
            follows && (moment.day_of_year == last.day_of_year + 1 || moment.day_of_year == 1),
            "{moment:?}"
        );
        assert_eq!(from_julian(moment.year, moment.month, moment.day), days);
        last = moment;
    }
}
