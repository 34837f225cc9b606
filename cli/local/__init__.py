"""The private local stack: PostgreSQL, RabbitMQ, the emulator and the services on loopback."""
