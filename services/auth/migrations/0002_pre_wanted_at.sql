-- When the person last consented to the product: what asks for its end from before is too late.
ALTER TABLE connection_products ADD COLUMN wanted_at timestamptz;
