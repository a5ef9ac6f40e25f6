/** OpenTok's wire: its REST API, its tokens, its webhooks. SPEC.md has every rule. */
export { createRestAuth, type RestAuth, type RestAuthDeps } from './auth.ts';
export { makeJwt } from './jwt.ts';
export { type Route, routeTable } from './route-table.ts';
export { opentokRoutes, type RoutesDeps } from './routes.ts';
export { makeClientToken, readClientToken, type Shown } from './token.ts';
export { createWebhooks, type WebhookDeps, type Webhooks } from './webhooks.ts';
