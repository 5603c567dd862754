-- Flights: schedule, customers, bookings. Runs any number of times.
CREATE TABLE IF NOT EXISTS flights (
  flight_id    INTEGER PRIMARY KEY,
  flight_no    CHAR(6) NOT NULL,
  departs_from VARCHAR(3) NOT NULL,
  arrives_at   VARCHAR(3) NOT NULL,
  departure    TIMESTAMPTZ NOT NULL,
  arrival      TIMESTAMPTZ NOT NULL,
  distance_km  DOUBLE PRECISION,
  fuel_price   REAL,
  seats        SMALLINT NOT NULL,
  cancelled    BOOLEAN NOT NULL DEFAULT false,
  crew         TEXT[]
);

CREATE TABLE IF NOT EXISTS customers (
  customer_id UUID PRIMARY KEY,
  full_name   TEXT NOT NULL,
  passport    VARCHAR(20),
  birthday    DATE,
  miles       BIGINT NOT NULL DEFAULT 0
);

-- A key of two columns.
CREATE TABLE IF NOT EXISTS bookings (
  flight_id   INTEGER NOT NULL REFERENCES flights(flight_id),
  seat        VARCHAR(4) NOT NULL,
  customer_id UUID REFERENCES customers(customer_id),
  price       NUMERIC(10,2) NOT NULL,
  meal        JSONB,
  booked_at   TIMESTAMP NOT NULL DEFAULT now(),
  PRIMARY KEY (flight_id, seat)
);

DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_publication WHERE pubname = 'flights_pub') THEN
    CREATE PUBLICATION flights_pub FOR TABLE flights, customers, bookings;
  END IF;
END $$;
