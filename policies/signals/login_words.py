"""Words that name a login, as data: path segments, host labels and query parameters.

All entries are folded (`fold`), so that `Connexion`, `INICIAR-SESIÓN` and percent-encoded `ログイン` compare
equal to their entries: compatibility forms without accents, case folded.
A word stands here only if it is a login wherever it is a whole segment.
One that is a login only together with a way back stands in a weak table.
"""

from __future__ import annotations

import re
import unicodedata

# Latin, Greek and Cyrillic accents; the marks of kana change the letter and stay.
_ACCENTS = re.compile(r"[\u0300-\u036f]")


def fold(word: str) -> str:
    """Return a word for comparison: compatibility forms, accents and case removed."""
    if word.isascii():
        return word.lower().strip()
    decomposed = _ACCENTS.sub("", unicodedata.normalize("NFKD", word))
    return unicodedata.normalize("NFKC", decomposed.casefold()).strip()


def _folded(words: str) -> frozenset[str]:
    return frozenset(fold(word) for word in words.split())


LOGIN_WORDS = _folded(
    """
    login log-in logins logon log-on signin sign-in signon sign-on sso auth authn authenticate authentication
    authorize authorise account accounts myaccount my-account oauth oauth2 openid oidc openid-connect adfs
    saml saml2 saml2p idp cas shibboleth shibboleth.sso wp-login wplogin wayf webauth kerberos

    ログイン サインイン ろぐいん 会員ログイン 認証 登录 登陆 登錄 登入 用户登录 会员登录 로그인 회원로그인
    anmelden anmeldung einloggen connexion se-connecter seconnecter identification identifiez-vous
    authentification iniciar-sesion iniciarsesion inicio-sesion inicio-de-sesion ingresar identificarse
    iniciar-sessao autenticacao fazer-login accedi autenticazione inloggen aanmelden
    logga-in loggain inloggning log-ind logind logg-inn logginn innlogging kirjaudu kirjautuminen
    zaloguj zaloguj-sie logowanie prihlaseni prihlasit prihlasenie bejelentkezes belepes autentificare
    vhod avtorizaciya autorizacija вход войти авторизация вхід увійти авторизація prijava
    giris-yap oturum-ac σύνδεση syndesi تسجيل-الدخول התחברות כניסה
    dang-nhap đăng-nhập log-masuk เข้าสู่ระบบ लॉगिन
    """
)
# Of these, words that are a login only as a whole segment: `cas-clients` is somebody's list of customers.
WHOLE_SEGMENTS_ONLY = _folded("account accounts cas idp identification 認証")
# Words that may stand beside a login word in one segment and leave it a login.
BESIDE = _folded(
    """
    user users member members membership customer customers client clients subscriber subscribers subscription
    reader readers patron guest employee staff student partner admin my your the to in on of web site portal
    page form screen view box prompt required require needed now new start begin index main default home check
    status error redirect redirector callback gateway gate service services server provider secure ssl
    external internal global central common single social and or register registration signup up wall popup
    modal process do do.login step step1 step2 1 2 3 v1 v2 wp id uid sid session sessions
    会員 用户 会员 benutzer kunden kunde konto compte utilisateur cliente usuario utente utenti
    """
)
# First or inner labels of a host name that serves logins.
LOGIN_LABELS = _folded(
    """
    login logon signin sso auth account accounts myaccount oauth oauth2 openid oidc adfs sts idp saml fs-auth
    authentication authenticate passport wayf shibboleth cas
    """
)
# Hosts whose only business is to log people in.
ACCOUNT_HOSTS = (
    "accounts.google.com",
    "appleid.apple.com",
    "auth0.com",
    "b2clogin.com",
    "ciamlogin.com",
    "duosecurity.com",
    "id.apple.com",
    "login.live.com",
    "microsoftonline.com",
    "okta.com",
    "oktapreview.com",
    "onelogin.com",
    "openathens.net",
    "pingidentity.com",
    "pingone.com",
    "id.tinypass.com",
    "id.piano.io",
)
# Parameters that say where to return after a login; enough by themselves.
RETURN_PARAMETERS = _folded(
    "returnurl return_url return-url returnto return_to return-to relaystate wreply wtrealm"
)
# Segments and labels of account services which are also names of content.
WEAK_WORDS = _folded(
    """
    user users member members membership id identity profile session sessions my secure register registration
    signup sign-up join subscribe subscription subscriptions subscriber paywall gate access entrar entra
    acceder acceso accesso entrer entrada masuk giris konto compte cuenta conta inscription 会員 会員登録
    mypage my-page
    """
)
WEAK_LABELS = _folded(
    "id ids identity my member members secure passport connect customer user users register membership"
)
WEAK_RETURN_PARAMETERS = _folded(
    """
    next continue redirect redirect_to redirect_uri redirect_url redirecturl redirecturi redirectto dest
    destination goto back backurl back_url from service target origin referer referrer ref url uri r ret
    return rurl forward callback callbackurl success_url
    """
)
# Gates that return to the page and are no login: consent, language, age, region, waiting rooms.
GATES_OF_ANOTHER_KIND = _folded(
    """
    consent cookie cookies cookie-check cookiecheck gdpr privacy locale lang language set-language setlanguage
    set-locale country region geo age age-gate agegate age-check age-verification waiting-room queue
    """
)
# How the title of a login page begins; spaces are part of a phrase, so one stands on a line.
LOGIN_TITLES = frozenset(
    fold(line)
    for line in """
    login
    log in
    log-in
    logon
    sign in
    sign-in
    single sign-on
    member login
    please log in
    please sign in
    authentication
    authentication required
    anmelden
    anmeldung
    einloggen
    connexion
    se connecter
    connectez-vous
    identifiez-vous
    identification
    authentification
    iniciar sesión
    inicia sesión
    inicio de sesión
    acceder
    identifícate
    entrar
    iniciar sessão
    fazer login
    accedi
    accesso
    inloggen
    aanmelden
    logga in
    logg inn
    log ind
    kirjaudu
    kirjaudu sisään
    zaloguj się
    logowanie
    přihlášení
    bejelentkezés
    autentificare
    вход
    войти
    авторизация
    вхід
    увійти
    giriş
    giriş yap
    oturum aç
    σύνδεση
    تسجيل الدخول
    התחברות
    đăng nhập
    ログイン
    会員ログイン
    サインイン
    登录
    登錄
    登入
    用户登录
    로그인
    회원 로그인
    """.splitlines()
    if line.strip()
)
