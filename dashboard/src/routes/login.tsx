import { useMutation, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, useRouter } from '@tanstack/react-router'
import { type FormEvent, useEffect, useRef } from 'react'

import { api, unwrap } from '#/api/client.ts'
import { ApiError, messageOf } from '#/api/errors.ts'
import { meQuery } from '#/api/queries.ts'
import { Logo } from '#/components/Logo.tsx'
import { useTitle } from '#/lib/title.ts'
import { Button } from '#/ui/Button.tsx'
import { Field } from '#/ui/Field.tsx'
import { Input } from '#/ui/Input.tsx'

const route = getRouteApi('/login')

export function LoginPage() {
  useTitle('Log in')
  const { next } = route.useSearch()
  const queryClient = useQueryClient()
  const router = useRouter()
  const password = useRef<HTMLInputElement>(null)

  const login = useMutation({
    mutationFn: (body: { email: string; password: string }) => unwrap(api.POST('/api/login', { body })),
    onSuccess: ({ token: _, ...me }) => {
      queryClient.setQueryData(meQuery.queryKey, me)
      router.history.push(next ?? '/')
    },
  })

  useEffect(() => {
    if (login.isError) password.current?.select()
  }, [login.isError])

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    login.mutate({ email: String(form.get('email')).trim(), password: String(form.get('password')) })
  }

  return (
    <main className="grid min-h-dvh place-items-center px-4 py-12">
      <div className="w-full max-w-sm">
        <div className="flex flex-col items-center text-center">
          <Logo size={44} />
          <h1 className="mt-5 text-xl font-semibold tracking-tight">Log in to Upmesh</h1>
          <p className="mt-1.5 text-ink-faint">Every check accounted for.</p>
        </div>
        <form onSubmit={submit} className="card mt-8 flex flex-col gap-4 p-6">
          <Field label="E-mail">
            <Input name="email" type="email" autoComplete="username" required autoFocus />
          </Field>
          <Field label="Password">
            <Input ref={password} name="password" type="password" autoComplete="current-password" required />
          </Field>
          {login.isError && (
            <p role="alert" className="rounded-control bg-down-soft px-3 py-2 text-sm text-down-ink">
              {explain(login.error)}
            </p>
          )}
          <Button type="submit" tone="primary" busy={login.isPending} className="mt-1">
            Log in
          </Button>
        </form>
        <p className="mt-6 text-center text-xs text-ink-faint">
          The first login is what <code className="font-mono">ADMIN_EMAIL</code> and{' '}
          <code className="font-mono">ADMIN_PASSWORD</code> say. Where they say nothing,{' '}
          <code className="font-mono">make up</code> prints it at its first start.
        </p>
      </div>
    </main>
  )
}

function explain(error: Error): string {
  if (error instanceof ApiError && error.isUnauthorized) return 'Wrong e-mail or password.'
  return messageOf(error)
}
