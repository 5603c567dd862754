-- Inventory: a mail-order shop's master data, in the manner of Debezium's tutorial. Runs any number of times.
CREATE SCHEMA IF NOT EXISTS inventory;

CREATE TABLE IF NOT EXISTS inventory.customers (
  id         SERIAL PRIMARY KEY,
  first_name VARCHAR(255) NOT NULL,
  last_name  VARCHAR(255) NOT NULL,
  email      VARCHAR(255) NOT NULL UNIQUE,
  born       DATE,
  balance    NUMERIC(10,2) NOT NULL DEFAULT 0,
  tags       TEXT[] NOT NULL DEFAULT '{}'
);

CREATE TABLE IF NOT EXISTS inventory.products (
  id          SERIAL PRIMARY KEY,
  name        VARCHAR(255) NOT NULL,
  description VARCHAR(512),
  weight      DOUBLE PRECISION,
  price       NUMERIC(10,2) NOT NULL,
  in_stock    SMALLINT NOT NULL DEFAULT 0,
  sizes       INTEGER[]
);

CREATE TABLE IF NOT EXISTS inventory.orders (
  id         SERIAL PRIMARY KEY,
  order_date DATE NOT NULL,
  purchaser  INTEGER NOT NULL REFERENCES inventory.customers(id),
  product_id INTEGER NOT NULL REFERENCES inventory.products(id),
  quantity   INTEGER NOT NULL CHECK (quantity > 0),
  express    BOOLEAN NOT NULL DEFAULT false,
  placed_at  TIMESTAMP NOT NULL DEFAULT now()
);

-- Deletes and updates carry the whole old row for this table, as Debezium's tutorial shows them.
ALTER TABLE inventory.customers REPLICA IDENTITY FULL;

DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_publication WHERE pubname = 'inventory_pub') THEN
    CREATE PUBLICATION inventory_pub FOR TABLE inventory.customers, inventory.products, inventory.orders;
  END IF;
END $$;
