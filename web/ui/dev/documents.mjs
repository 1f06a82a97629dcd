// Documents for working on the page: short, of several kinds, one in another language.

export const texts = {
  'handbook/travel.md': `# Travel and expenses

This page applies to everyone employed by Norderlicht Instruments.

## Booking

Trains are booked by the traveller, flights by the office. A flight needs the consent of the head of department if it lasts less than three hours, because a train would usually do.

## Daily allowance

The daily allowance is **28 €** for a full day and **14 €** for the day of departure and of return. Breakfast that is part of the hotel bill reduces it by 5.60 €.

| Country | Full day | Part of a day |
|---|---:|---:|
| Germany | 28 € | 14 € |
| France | 53 € | 36 € |
| Switzerland | 64 € | 43 € |

## Receipts

Receipts are handed in within 30 days of the end of the journey. After that the expenses can no longer be paid back, *except* with the written consent of the management.

- Taxi: only if no public transport runs, or with heavy equipment
- Hotel: up to 120 € a night, up to 160 € at trade fairs
- Parking: in full

> Lost a receipt? Write a note with date, place, amount and reason, and have it signed by your head of department.
`,
  'handbook/working-hours.md': `# Working hours

## Core time

There is no core time. Teams agree on hours in which they can be reached, and write them into the calendar.

## Remote work

Everyone may work from elsewhere on up to **three days a week**; the team decides which days are spent together. Working from abroad is possible for up to 20 working days a year within the European Union and must be announced two weeks ahead, so that the certificate A1 can be applied for.

## Overtime

Overtime is time off, one to one, within three months. It is paid out only when someone leaves.
`,
  'contracts/lease-hall-4.pdf': `# Lease of Hall 4

between Hafenbau Immobilien GmbH (lessor) and Norderlicht Instruments GmbH (lessee)

## § 1 Subject

The lessor lets the production hall no. 4, Kaistraße 12, with 1,840 m² of floor and 22 parking spaces.

## § 2 Term

The lease begins on 1 April 2024 and runs for five years. It is prolonged by two years at a time unless one of the parties gives notice in writing **twelve months** before it ends.

## § 3 Rent

The monthly rent is 14,720.00 € plus value added tax, due on the third working day of each month. It follows the consumer price index: if the index changes by more than five per cent, either party may ask for the rent to be adapted from the following month.

## § 7 Repairs

Repairs of up to 500 € each are borne by the lessee, at most 4,000 € a year. The roof, the gates and the heating remain the duty of the lessor.

## § 11 End of the lease

At the end of the lease the hall is handed over swept clean. Fixtures that the lessee has installed with the lessor's consent may stay.
`,
  'contracts/supply-kestrel-optics.docx': `# Supply agreement with Kestrel Optics

## 4 Delivery

Kestrel delivers within 15 working days of the order. If a delivery is late by more than five working days, Norderlicht may claim a penalty of 0.5 % of the value of the order for each further day, up to 5 %.

## 6 Warranty

The warranty is 24 months from delivery. Lenses whose transmission falls below 98.2 % at 550 nm within that time are replaced free of charge.

## 9 Notice

The agreement may be ended by either party with six months' notice to the end of a calendar year, in writing.
`,
  'projects/spectrometer/decisions.md': `# Spectrometer S3: decisions

**2025-02-11** The detector is cooled by a two-stage Peltier element. Liquid nitrogen was ruled out: customers in schools cannot store it.

**2025-03-04** The firmware is written in Rust, not C. The driver of the ADC was rewritten in two weeks; the old one had three data races.

**2025-05-20** Calibration happens with a neon lamp at each start. It takes 1.8 s and holds the error below 0.05 nm.

\`\`\`rust
pub fn calibrate(lines: &[Line]) -> Result<Poly, TooFew> {
    if lines.len() < 5 { return Err(TooFew(lines.len())); }
    Ok(Poly::fit(lines, 3))
}
\`\`\`

**2025-06-17** The housing is aluminium. Plastic bent by 0.2 mm between 10 and 40 °C.
`,
  'projects/spectrometer/test-report-2025-07.csv': `| serial | noise (counts) | drift (nm/h) | passed |
|---|---|---|---|
| S3-0041 | 11.2 | 0.004 | yes |
| S3-0042 | 10.9 | 0.003 | yes |
| S3-0043 | 19.7 | 0.021 | no |
| S3-0044 | 11.4 | 0.005 | yes |
`,
  'handbuch/datenschutz.md': `# Datenschutz im Alltag

## Aufbewahrung

Bewerbungsunterlagen werden sechs Monate nach der Absage gelöscht. Rechnungen bleiben zehn Jahre, Reisekostenabrechnungen ebenso.

## Auskunft

Wer wissen möchte, was über ihn gespeichert ist, bekommt innerhalb eines Monats Antwort. Anfragen gehen an datenschutz@norderlicht.example.
`,
  'minutes/2025-09-02-management.html': `# Minutes of the management meeting, 2 September 2025

Present: A. Lindqvist, J. Okafor, M. Brandt. Minutes: P. Sato.

## 1 Hall 4

The index has risen by 5.4 % since the lease began. Hafenbau may raise the rent; Ms Brandt expects 15,500 € a month from January. Giving notice is not considered before the expansion in 2027.

## 2 Kestrel

Two deliveries in August were eight working days late. The penalty is claimed: 1.5 % of 212,000 €.

## 3 Trade fair

We take part in Laser World of Photonics with 36 m². Budget: 48,000 €. Responsible: J. Okafor.
`,
};
